// What an investigation gains from scripts: what belongs to the node under the pointer stands out, the wheel zooms, dragging moves, and nodes open without loading the
// page anew. Without scripts the same links load pages.
const id = "graph";
let view = { x: 0, y: 0, k: 1 };

function apply() {
  document.querySelector(`#${id} #view`)?.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`);
}

function light(root, node) {
  const near = new Set([node]);
  for (const a of root.querySelectorAll(".arrow")) {
    const lit = a.dataset.from === node || a.dataset.to === node;
    a.classList.toggle("lit", lit);
    if (lit) near.add(a.dataset.from).add(a.dataset.to);
  }
  for (const n of root.querySelectorAll(".node")) n.classList.toggle("lit", near.has(n.dataset.id));
  root.classList.add("hover");
}

async function load(href, push) {
  const answer = await fetch(href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) {
    location.href = href; // the page tells why
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("main").replaceWith(page.querySelector("main"));
  if (push) history.pushState(null, "", href);
  start();
}

function start() {
  const root = document.getElementById(id);
  if (!root) return;
  root.classList.add("live");
  apply();
  let grab = null;
  root.addEventListener("pointerover", (e) => {
    const node = e.target.closest(".node");
    if (node) light(root, node.dataset.id);
    else root.classList.remove("hover");
  });
  root.addEventListener("pointerleave", () => root.classList.remove("hover"));
  root.addEventListener("wheel", (e) => {
    e.preventDefault();
    const k = Math.min(4, Math.max(0.2, view.k * (e.deltaY < 0 ? 1.15 : 1 / 1.15)));
    const box = root.getBoundingClientRect();
    const x = e.clientX - box.left, y = e.clientY - box.top;
    view = { k, x: x - ((x - view.x) * k) / view.k, y: y - ((y - view.y) * k) / view.k };
    apply();
  }, { passive: false });
  root.addEventListener("pointerdown", (e) => {
    if (!e.target.closest(".node")) {
      grab = { x: e.clientX - view.x, y: e.clientY - view.y };
      root.setPointerCapture(e.pointerId);
    }
  });
  root.addEventListener("pointermove", (e) => {
    if (!grab) return;
    view = { ...view, x: e.clientX - grab.x, y: e.clientY - grab.y };
    apply();
  });
  for (const end of ["pointerup", "pointercancel"]) root.addEventListener(end, () => { grab = null; });
  root.addEventListener("click", (e) => {
    const link = e.target.closest("a[href]");
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey || e.button !== 0) return;
    e.preventDefault();
    load(link.getAttribute("href"), true);
  });
}

addEventListener("popstate", () => load(location.href, false));
start();
