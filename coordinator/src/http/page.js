// Keeps the page as it is now: the coordinator sends it as a tree, and what differs is changed. Text only ever becomes text.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const link = document.getElementById("link");

  // [tag, {attributes}, [children]] or a text.
  function built(node) {
    if (typeof node === "string") return document.createTextNode(node);
    const [tag, attributes, children] = node;
    const drawn = tag === "svg" || tag === "rect";
    const element = drawn ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    for (const child of children) element.appendChild(built(child));
    if (tag === "time") element.textContent = new Date(attributes.datetime).toLocaleTimeString();
    return element;
  }

  const key = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") : null);
  const alike = (one, other) => one.nodeName === other.nodeName && key(one) === key(other);

  // What was asked for a place, and the places where the answer stands; both stay.
  const asked = new WeakMap();
  const told = new WeakSet();

  // What a person has folded stays so.
  const ours = (node, name) => name === "open" && node.nodeName === "DETAILS";

  function change(old, now) {
    if (old.nodeType === 3) {
      if (old.data !== now.data) old.data = now.data;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!now.hasAttribute(name) && !ours(old, name)) old.removeAttribute(name);
    }
    for (const { name, value } of [...now.attributes]) {
      if (!ours(old, name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    if (told.has(old)) return;
    const keyed = new Map();
    for (const child of old.childNodes) if (key(child) !== null) keyed.set(key(child), child);
    let at = old.firstChild;
    for (const child of [...now.childNodes]) {
      const found = key(child) === null ? at : keyed.get(key(child));
      if (found && alike(found, child)) {
        if (found !== at) old.insertBefore(found, at);
        else at = at.nextSibling;
        change(found, child);
      } else {
        old.insertBefore(child, at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  // The run in numbers, fetched where it is unfolded.
  async function tell(place) {
    const address = place.getAttribute("data-facts");
    if (asked.get(place) === address || !place.closest("details").open) return;
    asked.set(place, address);
    try {
      const answer = await fetch(address);
      if (!answer.ok) return;
      const { sentences } = await answer.json();
      told.add(place);
      place.textContent = sentences.join(" ");
    } catch {
      asked.delete(place);
    }
  }

  const tellAll = () => document.querySelectorAll("[data-facts]").forEach(tell);

  function show(tree) {
    change(document.querySelector("main"), built(tree));
    tellAll();
  }

  function say(state, text) {
    link.className = state;
    if (link.textContent !== text) link.textContent = text;
  }

  if (location.search.includes("token=")) history.replaceState(null, "", location.pathname);
  document.addEventListener("toggle", tellAll, true);
  const events = new EventSource("events");
  events.addEventListener("page", (event) => {
    say("live", "Live");
    show(JSON.parse(event.data));
  });
  events.addEventListener("error", () => say("away", "The coordinator does not answer; trying again."));
})();
