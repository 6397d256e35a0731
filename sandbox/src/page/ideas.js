import { parseLine, unfold, usableIn } from "./commands.js";
import { h } from "./dom.js";
import { state } from "./state.js";

/** The ideas of the program that owns the sandbox whose command somebody has: another bot has commands of its own. */
export const fitting = (ideas, entries) => ideas.filter((idea) => parseLine(entries, idea.line));

/** One of the ideas, by chance, and not `last` again where there is another. */
export function anyOf(ideas, last = null, chance = Math.random) {
  const others = ideas.filter((idea) => idea.line !== last);
  const from = others.length ? others : ideas;
  return from[Math.floor(chance() * from.length)];
}

/** The ideas that the person can use in the channel in view. */
export function usableIdeas() {
  const channel = state.channels.get(state.channel);
  return fitting(state.ideas, unfold(usableIn(state.commands, channel)));
}

let last = null;

/** A button that runs an idea by chance; without `words` it is a mere sign. */
export function die(onLine, words) {
  const roll = () => {
    const idea = anyOf(usableIdeas(), last);
    if (!idea) return;
    last = idea.line;
    onLine(idea.line);
  };
  const title = "Try one of many, by chance";
  return h("button", { type: "button", class: words ? "idea" : "die", testid: "die", title, "aria-label": words ? null : title, onclick: roll },
    h("span", { "aria-hidden": "true" }, "🎲"), words && ` ${words}`);
}

/** What an empty channel offers to press: pictures of what comes, or words where there are none, and a die. */
export function ideaBoard(ideas, onLine) {
  const pictures = ideas.filter((idea) => idea.picture);
  const words = pictures.length ? [] : ideas.slice(0, 4);
  return h("div", { class: "ideas", role: "group", "aria-label": "Press one to try it" },
    pictures.length > 0 && h("div", { class: "idea-pictures" }, pictures.map((idea) => pictured(idea, onLine))),
    h("div", { class: "idea-words" },
      words.map((idea) => h("button", { type: "button", class: "idea", testid: `idea-${idea.label}`, onclick: () => onLine(idea.line) }, idea.label)),
      die(onLine, "Surprise me")));
}

const pictured = ({ label, line, picture }, onLine) =>
  h("button", { type: "button", class: "idea-picture", testid: `idea-${label}`, title: line, onclick: () => onLine(line) },
    h("img", { src: picture, alt: "", width: 256, height: 256, draggable: "false" }), h("span", null, label));
