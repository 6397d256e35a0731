// A classic script, so that a chosen theme is in place before the first paint.
{
  const chosen = localStorage.getItem("atelier.theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}
