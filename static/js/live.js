"use strict";

// The overview: ask for news while somebody looks, and say so when none come.
(() => {
  const POLL_EVERY = 3000;
  const STALE_AFTER = 30000;

  const label = document.getElementById("as-of");
  const note = document.getElementById("stale-note");
  const words = label.querySelector("[data-words]");
  const time = label.querySelector("[data-time]");
  let heardAt = performance.now();

  const isVisible = () => document.visibilityState === "visible";

  const show = (isStale) => {
    document.body.classList.toggle("is-stale", isStale);
    words.textContent = isStale ? label.dataset.stale : label.dataset.fresh;
    const said = isStale ? `${label.dataset.stale} ${time.textContent}` : "";
    if (note.textContent !== said) note.textContent = said;
  };

  const poll = () => {
    if (!isVisible()) return;
    show(performance.now() - heardAt > STALE_AFTER);
    htmx.trigger("#live", "poll");
  };

  document.body.addEventListener("htmx:afterRequest", (event) => {
    const asOf = event.detail.successful && event.detail.xhr.getResponseHeader("X-As-Of");
    if (!asOf) return;
    heardAt = performance.now();
    time.textContent = asOf;
    show(false);
  });

  document.addEventListener("visibilitychange", () => {
    if (isVisible()) htmx.trigger("#live", "poll");
  });
  window.setInterval(poll, POLL_EVERY);
})();
