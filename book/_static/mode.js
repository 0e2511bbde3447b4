// Set the colours before the first paint, so that a page never flashes in the other ones.
{
  const root = document.documentElement;
  const mode = localStorage.getItem("mode") || "auto";
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.mode = mode;
  root.dataset.theme = mode === "auto" ? system : mode;
}
