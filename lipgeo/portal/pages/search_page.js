/* Narrow the lists of a page to the entries that have every typed word; accents count for nothing. */
"use strict";
function lipgeoSearch(words) {
  function plain(text) {
    return text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  }
  var form = document.getElementById("search"), typed = form.querySelector("input");
  var entries = Array.prototype.slice.call(document.querySelectorAll("ul.found li"));
  var texts = entries.map(function (one) { return plain(one.textContent); });
  function narrow() {
    var asked = plain(typed.value).split(/\s+/).filter(Boolean), left = 0;
    entries.forEach(function (one, at) {
      one.hidden = !asked.every(function (word) { return texts[at].indexOf(word) >= 0; });
      left += one.hidden ? 0 : 1;
    });
    document.querySelectorAll("section").forEach(function (one) {
      one.hidden = !one.querySelector("ul.found li:not([hidden])");
    });
    form.querySelector("output").textContent = words.replace("{count}", left);
    history.replaceState(null, "", typed.value ? "#" + encodeURIComponent(typed.value) : "#");
  }
  form.hidden = false;
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  typed.value = decodeURIComponent(location.hash.slice(1));
  typed.addEventListener("input", narrow);
  if (typed.value) { narrow(); }
}
