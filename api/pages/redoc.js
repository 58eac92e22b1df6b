// Shows the document with ReDoc; its fonts are the system's.
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
