"use strict";
// The filter over decisions, and everything open on paper. Without this script the page shows the same.
const filter = document.getElementById("filter");
const found = document.getElementById("found");
const decisions = [...document.querySelectorAll("#decisions details")];
filter.closest("p").hidden = false;
filter.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const one of decisions) {
    const text = one.querySelector("summary").textContent.toLowerCase();
    one.hidden = !words.every((word) => text.includes(word));
    shown += one.hidden ? 0 : 1;
  }
  found.textContent = `${shown} of ${decisions.length}`;
});
const open = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") {
    target.hidden = false;
    target.open = true;
    target.querySelector("summary").focus();
  }
};
addEventListener("hashchange", open);
open();
let before = [];
addEventListener("beforeprint", () => {
  before = decisions.map((one) => one.open);
  decisions.forEach((one) => { one.open = true; });
});
addEventListener("afterprint", () => decisions.forEach((one, at) => { one.open = before[at]; }));
