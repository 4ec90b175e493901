// What pages do with JavaScript and can do without: times in the reader's zone, the theme, "/" to find.
"use strict";

const clock = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "long"});

function localise(root) {
  for (const time of root.querySelectorAll("time.clock[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.valueOf())) time.textContent = clock.format(moment);
  }
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function offerTheme(button) {
  const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  name();
  button.hidden = false;
  button.setAttribute("aria-label", "Switch between light and dark");
  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    name();
  });
}

function isTyping(element) {
  return element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);
}

document.addEventListener("keydown", (event) => {
  const find = document.getElementById("find");
  if (event.key !== "/" || !find || isTyping(event.target) || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  find.focus();
  find.select();
});

document.addEventListener("DOMContentLoaded", () => {
  localise(document);
  const button = document.getElementById("theme");
  if (button) offerTheme(button);
});
document.addEventListener("htmx:after:swap", () => localise(document));
