// One channel: its pictures, its statistics, and what can be asked of it.
import { ControlsForm } from "./controls.js";
import { Picture } from "./picture.js";
import { StatisticsPanel } from "./statistics.js";

export class ChannelSection {
  #name;
  #announce;
  #pictures = new Map();
  #statistics;
  #controls;
  #state;
  #connected = true;
  #trigger;

  constructor(name, announce) {
    this.#name = name;
    this.#announce = announce;
    this.element = document.getElementById("channel-template").content.firstElementChild.cloneNode(true);
    this.element.id = `channel-${name}`;
    const heading = this.#find("h2");
    heading.textContent = name;
    heading.id = `heading-${name}`;
    this.element.setAttribute("aria-labelledby", heading.id);

    this.link = document.createElement("li");
    const anchor = document.createElement("a");
    anchor.href = `#channel-${name}`;
    anchor.textContent = name;
    this.link.append(anchor);

    this.#statistics = new StatisticsPanel(this.#find(".statistics"), name);
    this.#trigger = this.#find(".trigger");
    this.#trigger.addEventListener("click", () => this.#sendTrigger());
  }

  /** Takes what the server says of the channel. */
  update(summary) {
    const before = this.#state;
    this.#state = summary.state;
    this.#showState();
    if (before !== undefined && before !== summary.state) {
      this.#announce(`${this.#name}: ${summary.state === "live" ? "live again" : "no signal"}`);
    }
    this.#trigger.hidden = !summary.canTrigger;
    if (summary.controls && !this.#controls) {
      this.#controls = new ControlsForm(this.#name, this.#announce);
      this.#find(".side").append(this.#controls.element);
    }
    if (this.#controls) this.#controls.element.hidden = !summary.controls;

    const names = new Set(summary.streams.map((stream) => stream.name));
    for (const [name, picture] of this.#pictures) {
      if (names.has(name)) continue;
      picture.remove();
      this.#pictures.delete(name);
    }
    for (const stream of summary.streams) {
      // A stream that has become another kind is another picture.
      if (this.#pictures.get(stream.name)?.suits(stream) === false) {
        this.#pictures.get(stream.name).remove();
        this.#pictures.delete(stream.name);
      }
      let picture = this.#pictures.get(stream.name);
      if (!picture) {
        picture = new Picture(this.#name, stream, this.#announce);
        this.#pictures.set(stream.name, picture);
        this.#find(".streams").append(picture.element);
      }
      picture.update(stream, summary.state === "live" && this.#connected);
    }
  }

  setConnected(connected) {
    if (this.#connected === connected) return;
    this.#connected = connected;
    this.#showState();
    for (const picture of this.#pictures.values()) picture.setLive(connected && this.#state === "live");
  }

  setSeen(seen) {
    for (const picture of this.#pictures.values()) picture.setSeen(seen);
  }

  showStatistics(statistics) {
    this.#find(".source").textContent = statistics.source;
    this.#statistics.show(statistics);
  }

  showViewers(viewers) {
    for (const [stream, picture] of this.#pictures) picture.showViewers(viewers[`${this.#name}/${stream}`]);
  }

  remove() {
    for (const picture of this.#pictures.values()) picture.remove();
    this.element.remove();
    this.link.remove();
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }

  #showState() {
    const state = !this.#connected ? "unknown" : this.#state;
    const words = { live: "Live", noSignal: "No signal", unknown: "No connection" };
    this.element.dataset.state = state;
    this.link.dataset.state = state;
    this.#find(".state").textContent = words[state];
    this.#statistics.setLive(state === "live");
    this.link.firstElementChild.setAttribute("aria-label", `${this.#name}: ${words[state].toLowerCase()}`);
  }

  async #sendTrigger() {
    this.#trigger.disabled = true;
    try {
      const answer = await fetch(`api/channels/${encodeURIComponent(this.#name)}/trigger`, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: "{}",
      });
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.error);
      this.#announce(`${this.#name}: a clip is being recorded.`);
    } catch (error) {
      this.#announce(`${this.#name}: no clip: ${error.message}`);
    } finally {
      this.#trigger.disabled = false;
    }
  }
}
