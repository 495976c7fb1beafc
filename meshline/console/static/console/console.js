// Keys, copying, counting down due times, and times in the browser's own zone. Every page works without it.
const $ = (what, from = document) => from.querySelector(what);
const all = (what, from = document) => [...from.querySelectorAll(what)];
const typing = (node) => node && (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName));

// --- rows ---------------------------------------------------------------------------------------------------------
const rows = () => all("#result_list tbody tr, table.rows tbody tr");
let at = -1;
function mark(next) {
  const list = rows();
  if (!list.length) return;
  at = Math.max(0, Math.min(list.length - 1, next));
  list.forEach((row, index) => row.classList.toggle("is-here", index === at));
  $("a", list[at])?.focus();
}
document.addEventListener("focusin", (event) => {
  const row = event.target.closest?.("#result_list tbody tr, table.rows tbody tr");
  if (!row) return;
  at = rows().indexOf(row);
  rows().forEach((one) => one.classList.toggle("is-here", one === row));
});

// --- keys ---------------------------------------------------------------------------------------------------------
const links = Object.fromEntries(all(".nav a").map((one) => [one.pathname.replace(/\/$/, "").split("/").pop(), one.href]));
const goes = { q: links.reviewitem, h: $(".brand")?.href, e: links.event, l: links.ledgerrow };
let waiting = 0;
function arm(key) {
  const button = $(`[data-verb="${key}"]`);
  if (!button) return false;
  if (button.disabled) { $(".off")?.setAttribute("open", ""); $(".off summary")?.focus(); return true; }
  all("[data-verb]").forEach((one) => one.classList.toggle("is-armed", one === button));
  (button.formNoValidate ? button : $("#reason")).focus();
  return true;
}
const keys = {
  j: () => mark(at + 1),
  k: () => mark(at - 1),
  o: () => $("a", rows()[at])?.click(),
  "/": () => $("#searchbar")?.focus(),
  "[": () => $(".turn [rel=prev]")?.click(),
  "]": () => $(".turn [rel=next]")?.click(),
  s: () => { location.href = $("#halt").href; },
  m: () => $("#comment")?.focus(),
  y: () => $("#copy-correlation")?.click(),
  "?": () => show("keys"),
  g: () => { waiting = setTimeout(() => { waiting = 0; $("#find")?.focus(); }, 450); },
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    all("details.chip[open], details.who[open]").forEach((one) => { one.open = false; });
    if (typing(document.activeElement)) document.activeElement.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
  if (waiting) {
    clearTimeout(waiting);
    waiting = 0;
    if (goes[event.key]) { location.href = goes[event.key]; event.preventDefault(); return; }
    if (event.key === "g") { $("#find")?.focus(); event.preventDefault(); return; }
  }
  if (arm(event.key) || keys[event.key]?.call() !== undefined || keys[event.key]) event.preventDefault();
});

// The button that a key armed is the one that Enter presses.
$("#decide")?.addEventListener("keydown", (event) => {
  const armed = $(".is-armed");
  if (event.key === "Enter" && event.target.id === "reason") {
    event.preventDefault();
    if (armed) event.currentTarget.requestSubmit(armed);
  }
});

// --- dialogs, menus, copying --------------------------------------------------------------------------------------
function show(id) {
  const box = document.getElementById(id);
  if (box?.showModal) box.showModal();
}
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener && document.getElementById(opener.dataset.dialog)) { event.preventDefault(); show(opener.dataset.dialog); }
  const copy = event.target.closest("[data-copy]");
  if (copy) navigator.clipboard?.writeText(copy.dataset.copy).then(() => { copy.textContent = "copied"; });
  all("details.chip[open], details.who[open]").forEach((one) => { if (!one.contains(event.target)) one.open = false; });
});
// A second press while the first is under way would only be refused as stale.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
});
addEventListener("pageshow", () => all("form[data-sent]").forEach((one) => { delete one.dataset.sent; }));

// --- times --------------------------------------------------------------------------------------------------------
const day = { day: "numeric", month: "short" };
for (const one of all("time[data-local]")) {
  const when = new Date(one.dateTime);
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (one.dataset.local === "seconds") clock.second = "2-digit";
  const date = when.getFullYear() === new Date().getFullYear() ? day : { ...day, year: "numeric" };
  one.textContent = `${when.toLocaleDateString("en-GB", date)}, ${when.toLocaleTimeString("en-GB", clock)}`;
}
const compact = (minutes) => {
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours}h ${String(minutes % 60).padStart(2, "0")}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`;
};
function count() {
  for (const one of all("time.due:not(.is-old)")) {
    const gap = new Date(one.dateTime) - Date.now();
    const words = compact(Math.floor(Math.abs(gap) / 60000));
    one.textContent = gap < 0 ? `late ${words}` : `${words} left`;
    one.classList.toggle("is-late", gap < 0);
    one.classList.toggle("is-soon", gap >= 0 && gap <= 3600000);
  }
}
setInterval(count, 60000);

// After a verb the eye and the screen reader go to what was said.
$("#said")?.focus({ preventScroll: true });
