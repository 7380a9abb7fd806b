// The page: follows the server's events and keeps a section for each channel.
import { ChannelSection } from "./channel.js";

const sections = new Map();
const main = document.getElementById("channels");
const links = document.getElementById("channel-links");
const connection = document.getElementById("connection");
const notice = document.getElementById("notice");

/** Says something that people should notice, by eye or by screen reader; it fades after a while. */
let noticeTimer;
export function announce(text) {
  clearTimeout(noticeTimer);
  notice.textContent = text;
  noticeTimer = setTimeout(() => { notice.textContent = ""; }, 8000);
}

function showChannels(channels) {
  const names = new Set(channels.map((channel) => channel.name));
  for (const [name, section] of sections) {
    if (names.has(name)) continue;
    section.remove();
    sections.delete(name);
  }
  for (const summary of channels) {
    let section = sections.get(summary.name);
    if (!section) {
      section = new ChannelSection(summary.name, announce);
      sections.set(summary.name, section);
      main.append(section.element);
      links.append(section.link);
    }
    section.update(summary);
  }
  document.getElementById("empty").hidden = channels.length > 0;
  const lost = channels.filter((channel) => channel.state !== "live").length;
  document.title = lost > 0 ? `(${lost} without signal) FrameShare` : "FrameShare";
}

function showConnection(state) {
  const words = { waiting: "Connecting", open: "Connected", lost: "No connection" };
  const before = connection.dataset.state;
  connection.dataset.state = state;
  connection.textContent = words[state];
  if (state === "lost" && before === "open") announce("No connection to the server. The page goes on by itself.");
  if (state === "open" && before === "lost") announce("Connected again.");
  for (const section of sections.values()) section.setConnected(state === "open");
}

// A browser opens few connections to one server: a page that nobody sees has none.
let events;
let retryTimer;
let retryDelay = 500;

function listen() {
  clearTimeout(retryTimer);
  events?.close();
  events = undefined;
  if (document.hidden) return;
  const source = new EventSource("api/events");
  events = source;
  source.onopen = () => {
    retryDelay = 500;
    showConnection("open");
  };
  source.onerror = () => {
    showConnection("lost");
    // The browser tries again by itself, but for a server that answers with an error.
    if (source.readyState !== EventSource.CLOSED) return;
    retryTimer = setTimeout(listen, retryDelay);
    retryDelay = Math.min(2 * retryDelay, 10000);
  };
  const on = (type, use) => source.addEventListener(type, (event) => use(JSON.parse(event.data)));
  on("channels", (list) => showChannels(list.channels));
  on("statistics", ({ channels }) => {
    for (const [name, statistics] of Object.entries(channels)) sections.get(name)?.showStatistics(statistics);
  });
  on("viewers", (viewers) => {
    for (const section of sections.values()) section.showViewers(viewers);
  });
}

document.addEventListener("visibilitychange", () => {
  for (const section of sections.values()) section.setSeen(!document.hidden);
  listen();
});

// What people chose is kept; where nothing may be stored it lasts as long as the page.
const choices = {
  get(name) {
    try { return localStorage.getItem(name); } catch { return null; }
  },
  set(name, value) {
    try { localStorage.setItem(name, value); } catch { /* as said above */ }
  },
};

const themeButton = document.getElementById("theme");
const themes = ["system", "light", "dark"];

function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  themeButton.textContent = theme[0].toUpperCase() + theme.slice(1);
  themeButton.setAttribute("aria-label", `Colours: ${theme}`);
}

themeButton.addEventListener("click", () => {
  const next = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length];
  choices.set("theme", next);
  showTheme(next);
});
showTheme(themes.includes(choices.get("theme")) ? choices.get("theme") : "system");

const statisticsButton = document.getElementById("show-statistics");

function showStatistics(shown) {
  statisticsButton.setAttribute("aria-pressed", String(shown));
  main.classList.toggle("pictures-only", !shown);
}

statisticsButton.addEventListener("click", () => {
  const shown = statisticsButton.getAttribute("aria-pressed") !== "true";
  choices.set("statistics", shown ? "shown" : "hidden");
  showStatistics(shown);
});
showStatistics(choices.get("statistics") !== "hidden");

// A token that came in the address is in a cookie by now: it need not be seen, or copied along.
const address = new URL(location.href);
if (address.searchParams.has("token")) {
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

listen();
