// Times in the reader's zone, with the exact one on hover; and whether live updates come. Pages work without it.
"use strict";
(() => {
  const shape = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const format = new Intl.DateTimeFormat(undefined, shape);
  function localise(root) {
    for (const time of root.querySelectorAll("time[data-utc]")) {
      const moment = new Date(time.dateTime);
      if (!Number.isNaN(moment.getTime())) {
        time.title = time.textContent.trim();
        time.textContent = format.format(moment);
        time.removeAttribute("data-utc");
      }
    }
  }
  function say(state) {
    for (const place of document.querySelectorAll("[data-connection]")) {
      if (place.dataset.state !== state) {
        place.dataset.state = state;
        place.textContent = place.dataset[state];
      }
    }
  }
  localise(document);
  document.addEventListener("htmx:load", (event) => localise(event.detail.elt.parentNode ?? document));
  document.addEventListener("htmx:sseOpen", () => say("live"));
  document.addEventListener("htmx:sseError", () => say("lost"));
})();
