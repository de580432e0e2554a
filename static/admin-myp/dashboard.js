// Keeps the dashboard fresh: fetches its inner part every few seconds while somebody can see it.
(function () {
  "use strict";

  const EVERY = 5000;
  const board = document.getElementById("myp-board");
  if (!board) {
    return;
  }

  function isBusy() {
    // A button that is being pressed or has the keyboard must not be pulled away.
    return board.querySelector("button:active, a:active, button:focus-visible, a:focus-visible") !== null;
  }

  async function refresh() {
    if (document.hidden || isBusy()) {
      return;
    }
    try {
      const answer = await fetch(board.dataset.url, { credentials: "same-origin", headers: { "X-Requested-With": "fetch" } });
      if (answer.redirected || answer.status === 403) {
        window.location.reload(); // the session is over: to the log-in page
        return;
      }
      if (!answer.ok) {
        throw new Error(String(answer.status));
      }
      const html = await answer.text();
      if (!isBusy()) {
        board.innerHTML = html;
        board.removeAttribute("data-stale");
      }
    } catch (error) {
      board.setAttribute("data-stale", ""); // the time stays where it was, in red
    }
  }

  window.setInterval(refresh, EVERY);
  document.addEventListener("visibilitychange", refresh);
})();
