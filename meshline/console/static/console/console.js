// Keys, selecting, copying, times, news. Every page works without it.
const $ = (what, from = document) => from.querySelector(what);
const all = (what, from = document) => [...from.querySelectorAll(what)];
const on = (what, act) => addEventListener(what, act);
const typing = (node) => node?.matches?.("input:not([type=checkbox]),textarea,select");

// --- rows
const ROW = "#result_list tbody tr, table.rows tbody tr";
const rows = () => all(ROW);
let at = -1;
function mark(next, preventScroll) {
  const list = rows();
  if (list.length) $("a", list[Math.max(0, Math.min(list.length - 1, next))])?.focus({ preventScroll });
}
on("focusin", (event) => {
  const row = event.target.closest(ROW);
  if (!row) return;
  at = rows().indexOf(row);
  rows().forEach((one) => one.classList.toggle("is-here", one === row));
});

// --- selecting
const boxes = () => all("#picks [name=pick]");
const checked = () => boxes().filter((one) => one.checked);
const box = (index) => rows()[index] && $("[name=pick]", rows()[index]);
const every = $("#pick-all");
let last = -1;
function picked() {
  const many = checked().length;
  $("#picked").textContent = `${many} selected`;
  if (every) { every.hidden = false; every.checked = many > 0 && many === boxes().length; }
}
function pick(range) {
  if (!box(at)) return;
  const state = range || !box(at).checked;
  const from = range && last >= 0 ? last : at;
  for (let n = Math.min(from, at); n <= Math.max(from, at); n += 1) if (box(n)) box(n).checked = state;
  last = at;
  picked();
}
every?.addEventListener("change", () => { boxes().forEach((one) => { one.checked = every.checked; }); picked(); });
// Back from an item: selection and place as they were.
if ($("#picks")) {
  const place = `queue${location.search}`;
  const kept = JSON.parse(sessionStorage.getItem(place) || "{}");
  const { type } = performance.getEntriesByType("navigation")[0] || {};
  if (kept.on && (type === "back_forward" || /\/(change|bulk)\//.test(document.referrer))) {
    boxes().forEach((one) => { one.checked = kept.on.includes(one.value); });
    scrollTo(0, kept.y);
    if (kept.at >= 0) mark(kept.at, true);
  }
  on("change", picked);
  on("pageshow", picked);
  on("pagehide", () => sessionStorage.setItem(place, JSON.stringify({ on: checked().map((one) => one.value), y: scrollY, at })));
}

// --- keys
const links = Object.fromEntries(all(".nav a").map((one) => [one.pathname.replace(/\/$/, "").split("/").pop(), one.href]));
const goes = { q: links.reviewitem, h: $(".brand")?.href, e: links.event, l: links.ledgerrow };
let waiting = 0;
function arm(key) {
  const button = $(`[data-verb="${CSS.escape(key)}"]`);
  if (!button) return false;
  if (button.disabled) { $(".off")?.setAttribute("open", ""); $(".off summary")?.focus(); return true; }
  all("[data-verb]").forEach((one) => one.classList.toggle("is-armed", one === button));
  (button.formNoValidate ? button : $("#reason")).focus();
  return true;
}
// `data-key` is pressed by its key; a bulk button takes the row one stands on when none is selected.
function press(key) {
  const said = CSS.escape(key);
  const bulk = $(`[data-bulk="${said}"]`);
  if (bulk && !bulk.disabled && box(at) && !checked().length) box(at).checked = true;
  const button = bulk || $(`[data-key="${said}"]`);
  button?.click();
  return !!button;
}
const keys = {
  j: () => mark(at + 1),
  k: () => mark(at - 1),
  x: () => pick(false),
  X: () => pick(true),
  u: () => location.reload(),
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
const fold = (but) => all("details[name][open]").forEach((one) => { if (!but || !one.contains(but)) one.open = false; });
on("keydown", (event) => {
  if (event.key === "Escape") {
    fold();
    if (typing(document.activeElement)) document.activeElement.blur();
    return;
  }
  if ($("#header")?.dataset.keys === "off") return;
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
  if (waiting) {
    clearTimeout(waiting);
    waiting = 0;
    if (goes[event.key]) location.href = goes[event.key];
    if (event.key === "g") $("#find")?.focus();
    if (goes[event.key] || event.key === "g") return event.preventDefault();
  }
  if (!arm(event.key) && !press(event.key)) {
    if (!keys[event.key]) return;
    keys[event.key]();
  }
  event.preventDefault();
});

// The button that a key armed is the one that Enter presses.
$("#decide")?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.target.id !== "reason") return;
  event.preventDefault();
  if ($(".is-armed")) event.currentTarget.requestSubmit($(".is-armed"));
});

// --- dialogs, menus, copying
const show = (id) => document.getElementById(id)?.showModal?.();
on("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) { event.preventDefault(); show(opener.dataset.dialog); }
  const copy = event.target.closest("[data-copy]");
  if (copy) navigator.clipboard?.writeText(copy.dataset.copy).then(() => { copy.textContent = "copied"; });
  fold(event.target);
});
// A second press while the first is under way would be refused as stale.
on("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
});
on("pageshow", () => all("form[data-sent]").forEach((one) => { delete one.dataset.sent; }));

// --- times
const local = (from) => all("time[data-local]", from).forEach((one) => {
  const when = new Date(one.dateTime);
  const form = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    timeZone: $("#header")?.dataset.zone || undefined };
  if (one.dataset.local === "seconds") form.second = "2-digit";
  if (when.getFullYear() !== new Date().getFullYear()) form.year = "numeric";
  one.textContent = when.toLocaleString("en-GB", form);
});
local();
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
    one.classList.toggle("is-soon", gap >= 0 && gap <= 1000 * (one.dataset.soon || 3600));
  }
}
setInterval(count, 60000);

// --- news: what changed is put in its place, nothing else moves
let tag = "";
async function look() {
  const url = $("#header")?.dataset.live;
  if (!url || document.hidden) return;
  try {
    const answer = await fetch(url, { headers: tag ? { "If-None-Match": tag } : {}, redirect: "error" });
    if (answer.status !== 200) return;
    tag = answer.headers.get("ETag");
    const news = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of all("[data-part]", news)) {
      const here = $(`[data-part="${part.dataset.part}"]`);
      if (!here || here.dataset.sig === part.dataset.sig) continue;
      here.dataset.sig = part.dataset.sig;
      here.replaceChildren(...part.childNodes);
      local(here);
    }
    document.title = ($(".banner") ? "STOPPED - " : "") + document.title.replace(/^STOPPED - /, "");
  } catch { /* the next may come through */ }
}
setInterval(look, 10000);
on("visibilitychange", look);
// A form that says so is sent now and then, while somebody looks.
all("[data-beat]").forEach((one) => setInterval(() => {
  if (!document.hidden) fetch(one.action, { method: "POST", body: new FormData(one) }).catch(() => 0);
}, 1000 * one.dataset.beat));

// After a verb the eye goes to what was said.
$("#said")?.focus({ preventScroll: true });
