// Draws what the page carries. Every name is set as text: markup in a name is shown, never run.
var lipgeo = (function () {
  'use strict';

  function card(heads, row, most) {
    var table = document.createElement('table');
    table.className = 'card';
    var written = 0;
    heads.forEach(function (head, k) {
      if (row[k] === null || written >= most) { return; }
      var line = table.insertRow(), name = document.createElement('th');
      name.scope = 'row';
      name.textContent = head;
      line.appendChild(name);
      line.insertCell().textContent = row[k];
      written += 1;
    });
    return table;
  }

  function said(heads, row) {
    return heads.map(function (head, k) { return row[k] === null ? '' : head + ': ' + row[k]; })
      .filter(Boolean).join('; ');
  }

  // One Tab stop a layer; the arrow keys go from shape to shape inside it.
  function keyboard(shapes, heads, rows) {
    var paths = shapes.map(function (shape) { return shape.getElement(); });
    shapes.forEach(function (shape, k) {
      var path = paths[k];
      if (!path || path.dataset.reached) { return; }
      path.dataset.reached = 'yes';
      path.setAttribute('tabindex', k ? '-1' : '0');
      path.setAttribute('role', 'button');
      path.setAttribute('aria-label', said(heads, rows[k]));
      path.addEventListener('keydown', function (event) {
        var step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
        if (step) {
          var next = paths[(k + step + paths.length) % paths.length];
          path.setAttribute('tabindex', '-1');
          next.setAttribute('tabindex', '0');
          next.focus();
        } else if (event.key === 'Enter' || event.key === ' ') {
          // as if clicked: the panel belongs to the layer, not to the shape
          shape.fire('click', {latlng: shape.getBounds().getCenter()}, true);
        } else {
          return;
        }
        event.preventDefault();
        event.stopPropagation();
      });
    });
  }

  // data: heads, rows, geo, style, styles, of; shapes lie in a pane of their own, in order
  function draw(group, data) {
    var layer, waiting = true;
    group.on('add', function () {
      var map = group._map;
      if (waiting) {
        waiting = false;
        if (!map.getPane(data.pane)) { map.createPane(data.pane).style.zIndex = data.level; }
        layer = L.geoJSON({type: 'FeatureCollection', features: data.geo.map(function (shape, k) {
          return {type: 'Feature', properties: {k: k}, geometry: shape};
        })}, {
          pane: data.pane,
          renderer: L.svg({pane: data.pane}),
          interactive: data.rows !== null,
          smoothFactor: 0.7,
          style: function (feature) {
            return data.of ? data.styles[data.of[feature.properties.k]] : data.style;
          }
        });
        if (data.rows) {
          var of = function (shape) { return data.rows[shape.feature.properties.k]; };
          layer.bindTooltip(function (shape) { return card(data.heads, of(shape), 5); },
            {sticky: true});
          layer.bindPopup(function (shape) { return card(data.heads, of(shape), 99); },
            {maxWidth: 400, autoPanPadding: [20, 20]});
        }
        group.addLayer(layer);
      }
      if (data.rows) { keyboard(layer.getLayers(), data.heads, data.rows); }
    });
  }

  // The first label stands; later ones that would lie over it wait for a closer look.
  function apart(map, marks) {
    var kept = [], frame = map.getContainer().getBoundingClientRect();
    marks.forEach(function (mark) {
      var icon = mark.getElement();
      if (!icon) { return; }
      var box = icon.firstChild.getBoundingClientRect();
      var free = kept.every(function (other) {
        return box.right < other.left || box.left > other.right ||
          box.bottom < other.top || box.top > other.bottom;
      });
      free = free && box.left > frame.left && box.right < frame.right &&
        box.top > frame.top && box.bottom < frame.bottom;
      icon.style.visibility = free ? 'visible' : 'hidden';
      if (free) { kept.push(box); }
    });
  }

  function label(group, labels) {
    var marks = labels.map(function (one) {
      var words = document.createElement('span');
      words.setAttribute('aria-hidden', 'true');
      one.lines.forEach(function (line, k) {
        var part = document.createElement(k ? 'small' : 'b');
        part.textContent = line;
        words.appendChild(part);
      });
      return L.marker([one.y, one.x], {interactive: false, keyboard: false, icon: L.divIcon({
        className: 'label ' + one.kind, html: words, iconSize: [0, 0]})}).addTo(group);
    });
    group.on('add', function () {
      var map = group._map, tidy = function () { apart(map, marks); };
      map.on('zoomend moveend', tidy);
      map.whenReady(function () { setTimeout(tidy, 0); });
    });
  }

  function set(root, selector, name, value) {
    root.querySelectorAll(selector).forEach(function (part) { part.setAttribute(name, value); });
  }

  // A panel and what the pointer says are the same: never both at once.
  function oneCard(map) {
    var pointed = null;
    map.on('tooltipopen', function (event) {
      pointed = event.tooltip;
      if (map._popup && map._popup.isOpen()) { map.closeTooltip(pointed); }
    });
    map.on('popupopen', function () { if (pointed) { map.closeTooltip(pointed); } });
  }

  function home(map, words) {
    var control = L.control({position: 'topleft'});
    control.onAdd = function () {
      var bar = L.DomUtil.create('div', 'leaflet-bar home'), button = document.createElement('a');
      button.href = '#';
      button.setAttribute('role', 'button');
      button.title = words.home;
      button.setAttribute('aria-label', words.home);
      button.textContent = '\u2302';
      bar.appendChild(button);
      L.DomEvent.disableClickPropagation(bar);
      L.DomEvent.on(button, 'click', function (event) {
        L.DomEvent.preventDefault(event);
        map.fitBounds(words.view, {padding: [12, 12], animate: false});
      });
      return bar;
    };
    control.addTo(map);
  }

  // The areas by name: typing narrows the list, a name goes there and opens the area's panel.
  function list(map, areas) {
    var place = document.querySelector('.areas');
    if (!place || !areas.names.length) { return; }
    var field = place.querySelector('input'), found = place.querySelector('ul');
    areas.names.forEach(function (name, k) {
      var line = document.createElement('li'), button = document.createElement('button');
      button.type = 'button';
      button.textContent = name;
      button.addEventListener('click', function () {
        map.fitBounds(areas.boxes[k], {padding: [40, 40], maxZoom: 15, animate: false});
        L.popup({maxWidth: 400, autoPan: false}).setLatLng(areas.points[k])
          .setContent(card(areas.heads, areas.rows[k], 99)).openOn(map);
      });
      line.appendChild(button);
      found.appendChild(line);
    });
    function plain(text) { return text.normalize('NFD').replace(/[\u0300-\u036f]/g, '').toLowerCase(); }
    field.addEventListener('input', function () {
      var wanted = plain(field.value.trim());
      Array.prototype.forEach.call(found.children, function (line, k) {
        line.hidden = plain(areas.names[k]).indexOf(wanted) < 0;
      });
    });
  }

  // A click on a head sorts a table by it: numbers as numbers, empty cells last.
  function sortable(words) {
    document.querySelectorAll('.table table').forEach(function (table) {
      Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, k) {
        var button = document.createElement('button');
        button.type = 'button';
        button.textContent = head.textContent;
        button.title = words.sort_by;
        head.textContent = '';
        head.appendChild(button);
        button.addEventListener('click', function () {
          var down = head.getAttribute('aria-sort') === 'ascending', body = table.tBodies[0];
          var number = function (text) {
            var sign = text.replace(/[\s\u00a0\u202f%$]/g, '');
            if (words.comma) { sign = sign.replace(/,/g, '.'); } else { sign = sign.replace(/,/g, ''); }
            return sign === '' || isNaN(sign) ? null : Number(sign);
          };
          var rows = Array.prototype.slice.call(body.rows);
          rows.sort(function (one, other) {
            var a = one.cells[k].textContent, b = other.cells[k].textContent;
            if (!a || !b) { return (a ? 0 : 1) - (b ? 0 : 1); }
            var x = number(a), y = number(b);
            var order = x !== null && y !== null ? x - y : a.localeCompare(b);
            return down ? -order : order;
          });
          Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other) {
            other.removeAttribute('aria-sort');
          });
          head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
          rows.forEach(function (row) { body.appendChild(row); });
        });
      });
    });
  }

  // words: what Leaflet says in English only; view: the box to show
  function finish(maps, words) {
    maps.forEach(function (map) {
      var box = map.getContainer();
      L.control.zoom({position: 'topleft', zoomInTitle: words.zoom_in,
        zoomOutTitle: words.zoom_out}).addTo(map);
      home(map, words);
      oneCard(map);
      L.control.scale({imperial: false, position: 'bottomleft'}).addTo(map);
      if (map.attributionControl) { map.attributionControl.setPrefix(false); }
      box.setAttribute('role', 'application');
      box.setAttribute('aria-label', words.map_label);
      set(box, '.leaflet-control-layers', 'aria-label', words.layers);
      set(box, '.leaflet-control-layers', 'role', 'group');
      // beside the map it hides nothing
      box.parentNode.appendChild(box.querySelector('.leaflet-control-layers'));
      // Leaflet hears Escape only while the map itself has the focus
      box.addEventListener('keydown', function (event) {
        if (event.key === 'Escape') { map.closePopup(); }
      });
      map.on('popupopen', function (event) {
        var from = document.activeElement;
        set(event.popup.getElement(), '.leaflet-popup-close-button', 'aria-label', words.close);
        event.popup.once('remove', function () {
          if (from && from.dataset && from.dataset.reached) { from.focus(); }
        });
      });
    });
    maps.forEach(function (map) {
      map.invalidateSize(false);
      map.fitBounds(words.view, {padding: [12, 12], animate: false});
    });
    list(maps[0], words.areas);
    sortable(words);
    if (maps.length < 2) { return; }
    var moving = false;
    maps.forEach(function (map, k) {
      map.on('move', function () {
        if (moving) { return; }
        moving = true;
        maps[1 - k].setView(map.getCenter(), map.getZoom(), {animate: false});
        moving = false;
      });
    });
  }

  return {draw: draw, label: label, finish: finish};
}());
