import { h, icon } from "./dom.js";

let dialog = null;

/** Opens a picture large; the arrows walk through all pictures of the channel. */
export function openLightbox(picture) {
  dialog ??= build();
  const all = [...document.querySelectorAll(".scroller .picture")].map((element) => element.picture);
  dialog.show(all, Math.max(0, all.indexOf(picture)));
}

function build() {
  const image = h("img", { class: "lightbox-image", testid: "lightbox-image", draggable: "false" });
  const stage = h("div", { class: "lightbox-stage" }, image);
  const caption = h("div", { class: "lightbox-caption" });
  const openTab = h("a", { class: "tool", target: "_blank", rel: "noopener noreferrer", "aria-label": "Open in a tab", title: "Open in a tab" }, icon("open"));
  const actual = tool("actual", "Original size", () => setActual(!stage.classList.contains("actual")));
  const previous = tool("left", "Previous picture", () => move(-1));
  const next = tool("right", "Next picture", () => move(1));
  previous.classList.add("previous");
  next.classList.add("next");
  const element = h("dialog", { class: "lightbox", "aria-label": "Picture", testid: "lightbox" }, stage, caption, previous, next,
    h("div", { class: "lightbox-tools" }, actual, openTab, tool("close", "Close", () => element.close())));
  let pictures = [];
  let at = 0;

  function setActual(isActual) {
    stage.classList.toggle("actual", isActual);
    actual.setAttribute("aria-pressed", String(isActual));
  }
  function move(step) {
    if (pictures[at + step]) show(at + step);
  }
  function show(index) {
    at = index;
    const { source, alt } = pictures[at];
    setActual(false);
    image.src = source.url;
    image.alt = alt;
    image.style.setProperty("--shape", pictures[at].shape);
    openTab.href = source.url;
    const size = source.width ? `${source.width} × ${source.height}` : "";
    caption.replaceChildren(h("span", null, alt), h("span", { class: "quiet" }, [size, pictures.length > 1 && `${at + 1} of ${pictures.length}`].filter(Boolean).join(" · ")));
    previous.hidden = at === 0;
    next.hidden = at === pictures.length - 1;
  }

  element.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    move(step);
  });
  stage.addEventListener("click", (event) => {
    if (event.target === image) setActual(!stage.classList.contains("actual"));
    else element.close();
  });
  element.addEventListener("close", () => image.removeAttribute("src"));
  document.body.append(element);
  return {
    show: (all, index) => {
      pictures = all;
      show(index);
      element.showModal();
    },
  };
}

function tool(name, label, onclick) {
  return h("button", { type: "button", class: "tool", "aria-label": label, title: label, onclick }, icon(name));
}
