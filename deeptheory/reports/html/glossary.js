// The definition of a word beside it, while it is pointed at or has the focus; without scripts it is a link.

const tip = document.createElement("div");
tip.id = "tip";
tip.setAttribute("role", "tooltip");
tip.hidden = true;
document.body.append(tip);
let word = null; // whose definition is shown

function showTip(link) {
  hideTip();
  word = link;
  tip.replaceChildren(...document.querySelector(`${link.hash} dd`).cloneNode(true).childNodes);
  tip.hidden = false;
  link.setAttribute("aria-describedby", "tip");
  placeTip();
}

// Below its word, or above it where there is no room; the focus may scroll the page after the word got it.
function placeTip() {
  if (!word) return;
  const at = word.getBoundingClientRect();
  const left = Math.min(at.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
  const below = at.bottom + tip.offsetHeight + 4 <= innerHeight;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${below ? at.bottom : Math.max(0, at.top - tip.offsetHeight)}px`;
}

function hideTip() {
  if (!word) return;
  word.removeAttribute("aria-describedby");
  word = null;
  tip.hidden = true;
}

function termOf(event) {
  return event.target.closest?.("a.term");
}

["pointerover", "focusin"].forEach((type) => document.addEventListener(type, (event) => {
  const link = termOf(event);
  if (link) showTip(link);
  else if (!tip.contains(event.target)) hideTip(); // the pointer may move onto the definition
}));
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
document.addEventListener("focusout", hideTip);
document.addEventListener("scroll", placeTip, { capture: true, passive: true });
