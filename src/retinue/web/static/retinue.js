// What pages do beyond HTML: all of it can be left out.
"use strict";

// "/" finds an account, "j" and "k" walk through a list; not while somebody types.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const find = document.getElementById("find");
    if (find) { event.preventDefault(); find.focus(); find.select(); }
  }
  if (event.key === "j" || event.key === "k") {
    const links = [...document.querySelectorAll("table.book tbody th a")];
    if (!links.length) return;
    const here = links.indexOf(document.activeElement);
    const next = links[Math.min(Math.max(here + (event.key === "j" ? 1 : -1), 0), links.length - 1)];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
});

// A menu closes when something else is clicked, or on Escape.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// What scrolls can be scrolled by keyboard; what fits is no stop on the way.
const scrolled = () => {
  for (const table of document.querySelectorAll(".table")) {
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
    else table.removeAttribute("tabindex");
  }
};
window.addEventListener("load", scrolled);
window.addEventListener("resize", scrolled);
document.addEventListener("toggle", scrolled, true);
document.addEventListener("htmx:afterSettle", scrolled);

// A form is posted once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) { event.preventDefault(); return; }
  event.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// What a fragment could not load is said where it would stand.
document.addEventListener("htmx:responseError", (event) => {
  const place = event.detail.target;
  if (!place) return;
  const said = document.createElement("p");
  said.className = "notice";
  said.setAttribute("role", "alert");
  said.textContent = event.detail.xhr.status === 401 ? "You are not signed in any more. Reload the page." : "This could not be loaded. Reload the page to try again.";
  place.prepend(said);
});
