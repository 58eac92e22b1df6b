// Shows the document with ReDoc; its fonts are the system's.

// ReDoc would fetch its makers' logo from a server of theirs: no image is but from us.
const setAttribute = Element.prototype.setAttribute;
HTMLImageElement.prototype.setAttribute = function (name, value) {
  const source = name === "src" ? new URL(value, location.href) : location;
  if (source.origin === location.origin || source.protocol === "data:") {
    setAttribute.call(this, name, value);
  }
};

window.addEventListener("load", () => {
  const options = {
    theme: {
      typography: {
        fontFamily: "system-ui, sans-serif",
        headings: { fontFamily: "system-ui, sans-serif" },
      },
    },
  };
  Redoc.init("/openapi.json", options, document.getElementById("page"));
});
