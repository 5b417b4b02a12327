/* Up to four areas side by side. The state is the address's #hash; numbers of an area come from a
   classic script beside the page, as a page opened from a folder may load nothing else. The rule of
   differences is that of lipgeo/portal/pages/differences.py, and is tested against it. */
"use strict";
var lipgeoCompare = (function () {
  var page, choices, areas = {}, asked = {};

  /* a: [middle or null, low or null, high or null, 1 where the range is likely] */
  function difference(mine, other, rule) {
    var apart = mine[0] - other[0];
    var ranged = mine[1] !== null || other[1] !== null;
    if (!ranged) {
      return { apart: apart, low: null, high: null, verdict: say(apart, Math.abs(apart) < rule.close) };
    }
    function arms(one) {
      return one[1] === null ? [0, 0] : [Math.max(one[0] - one[1], 0), Math.max(one[2] - one[0], 0)];
    }
    var a = arms(mine), b = arms(other);
    var guessed = (mine[3] || mine[1] === null) && (other[3] || other[1] === null);
    var low = apart - (guessed ? Math.hypot(a[0], b[1]) : a[0] + b[1]);
    var high = apart + (guessed ? Math.hypot(a[1], b[0]) : a[1] + b[0]);
    var close = (low <= 0 && high >= 0) || Math.abs(apart) < rule.least;
    return { apart: apart, low: low, high: high, verdict: say(apart, close) };
  }
  function say(apart, close) { return close ? "close" : apart > 0 ? "higher" : "lower"; }

  function number(value) {
    var text = value.toFixed(1).replace("-", "\u2212");
    return page.lang === "fr" ? text.replace(".", ",") : text;
  }
  function fill(sentence, values) {
    return sentence.replace(/\{(\w+)\}/g, function (_, name) { return values[name]; });
  }
  function node(kind, text, more) {
    var made = document.createElement(kind);
    if (text) { made.textContent = text; }
    for (var name in more || {}) { made.setAttribute(name, more[name]); }
    return made;
  }

  function chosen() {
    var known = {};
    page.areas.forEach(function (one) { known[one[0]] = one[1]; });
    return decodeURIComponent(location.hash.slice(1)).split(",").filter(function (slug, at, all) {
      return known[slug] && all.indexOf(slug) === at;
    }).slice(0, choices.length);
  }
  function choose() {
    var slugs = choices.map(function (one) { return one.value; }).filter(Boolean);
    location.hash = slugs.filter(function (slug, at) { return slugs.indexOf(slug) === at; }).join(",");
  }
  function show() {
    var slugs = chosen();
    choices.forEach(function (one, at) { one.value = slugs[at] || ""; });
    var missing = slugs.filter(function (slug) { return !areas[slug]; });
    missing.forEach(function (slug) {
      if (asked[slug]) { return; }
      asked[slug] = true;
      document.head.appendChild(node("script", "", { src: page.data + slug + page.end }));
    });
    if (!missing.length) { draw(slugs); }
  }
  function draw(slugs) {
    var place = document.getElementById("side-by-side");
    place.textContent = "";
    if (!slugs.length) { return; }
    slugs.forEach(function (slug) {
      (areas[slug].notices || []).forEach(function (text) {
        place.appendChild(node("p", text, { "class": "notice" }));
      });
    });
    var table = node("table", "", { "class": "stack", role: "table" });
    var head = node("thead", "", { role: "rowgroup" }), top = node("tr", "", { role: "row" });
    var heads = [page.words.indicator, page.words.period];
    slugs.forEach(function (slug) { heads.push(areas[slug].name); });
    heads.forEach(function (text) { top.appendChild(node("th", text, { scope: "col", role: "columnheader" })); });
    head.appendChild(top);
    table.appendChild(head);
    var body = node("tbody", "", { role: "rowgroup" });
    page.subjects.forEach(function (subject, at) {
      var cells = slugs.map(function (slug) { return areas[slug].numbers[at]; });
      if (!cells.some(Boolean)) { return; }
      var row = node("tr", "", { role: "row" });
      row.appendChild(node("th", subject[0], { scope: "row", role: "rowheader" }));
      row.appendChild(node("td", subject[1], { role: "cell", "data-head": heads[1] }));
      cells.forEach(function (cell, which) {
        row.appendChild(draw_cell(cell, which ? cells[0] : null, subject[2], heads[which + 2],
          areas[slugs[0]].name));
      });
      body.appendChild(row);
    });
    table.appendChild(body);
    place.appendChild(table);
  }
  function draw_cell(cell, first, comparable, head, name) {
    var made = node("td", "", { role: "cell", "data-head": head });
    if (!cell) { made.appendChild(node("span", page.words.none)); return made; }
    made.appendChild(node("span", cell[0]));
    if (cell[5]) { made.appendChild(node("span", cell[5], { "class": "range" })); }
    if (cell[1]) { made.appendChild(node("span", cell[1], { "class": "range" })); }
    made.appendChild(node("span", cell[2], { "class": "origin" }));
    if (comparable && first && cell[3] && first[3]) {
      var found = difference(cell[3], first[3], page.rule);
      var exact = !cell[4] && !first[4];
      var text = fill(page.words[found.verdict + (exact && found.verdict !== "close" ? "_by" : "")],
        { place: name, value: number(Math.abs(found.apart)) });
      made.appendChild(node("span", text, { "class": "apart " + found.verdict }));
    }
    return made;
  }

  return {
    difference: difference,
    area: function (slug, told) { areas[slug] = told; show(); },
    start: function (given) {
      page = given;
      choices = Array.prototype.slice.call(document.querySelectorAll("#choose select"));
      choices.forEach(function (one) { one.addEventListener("change", choose); });
      document.getElementById("choose").hidden = false;
      window.addEventListener("hashchange", show);
      show();
    }
  };
}());
