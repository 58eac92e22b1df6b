// Shows the document with ReDoc; its fonts are the system's.

// ReDoc would fetch its makers' logo from a server of theirs: no image is but from us,
// whichever of the two ways it is asked for.
const isOurs = (url) => new URL(url, location.href).origin === location.origin;
const image = HTMLImageElement.prototype;
const source = Object.getOwnPropertyDescriptor(image, "src");
Object.defineProperty(image, "src", {
  ...source,
  set(url) {
    if (isOurs(url)) source.set.call(this, url);
  },
});
image.setAttribute = function (name, value) {
  if (name !== "src" || isOurs(value)) {
    Element.prototype.setAttribute.call(this, name, value);
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
