// One stream's picture: live as JPEGs or as video, or as a still each second where the browser has no connection left.
import { liveConnections } from "./connections.js";
import { VideoFeed } from "./video.js";

const visibility = new IntersectionObserver((entries) => {
  for (const entry of entries) entry.target.picture.setInView(entry.isIntersecting);
}, { rootMargin: "100px" });

const stillInterval = 1000;

export class Picture {
  #channel;
  #stream;
  #announce;
  #path;
  #screen;
  #veil;
  #view;
  #video;

  #live = false;
  #seen = !document.hidden;
  #inView = false;
  #paused = false;
  /** Counts starts and stops: what an earlier one still waits for is then void. */
  #turn = 0;
  #isShowing = false;
  #giveBack;
  #timer;
  #retryDelay = 500;
  #unwatched = 0;

  constructor(channel, stream, announce) {
    this.#channel = channel;
    this.#stream = stream;
    this.#announce = announce;
    this.#path = `channels/${encodeURIComponent(channel)}/${encodeURIComponent(stream.name)}`;
    this.element = document.getElementById("picture-template").content.firstElementChild.cloneNode(true);
    this.#screen = this.#find(".screen");
    this.#veil = this.#find(".veil");
    this.#view = this.#makeView();
    this.#screen.prepend(this.#view);
    this.#find("h3").textContent = stream.name;

    const label = `${channel} ${stream.name}`;
    this.#find(".tools").setAttribute("aria-label", label);
    this.#button("pause", `Pause ${label}`, () => this.#togglePause());
    this.#button("snapshot", `Snapshot of ${label}`, () => this.#saveSnapshot());
    this.#button("enlarge", `Full screen: ${label}`, () => this.#enlarge());
    this.element.picture = this;
    visibility.observe(this.element);
  }

  suits(stream) {
    return stream.kind === this.#stream.kind;
  }

  /** Takes what the server says of the stream, and whether there is a signal. */
  update(stream, live) {
    const changed = stream.codec !== this.#stream.codec || stream.width !== this.#stream.width
      || stream.height !== this.#stream.height;
    this.#stream = stream;
    this.#view.width = stream.width;
    this.#view.height = stream.height;
    const format = stream.kind === "packets" ? "H.264" : stream.format;
    this.#find(".facts").textContent = `${stream.width} × ${stream.height}, ${format}`;
    if (changed && this.#isShowing) this.#stop();
    this.setLive(live);
  }

  setLive(live) {
    // After a gap it begins anew, whatever became of the old connection.
    if (live !== this.#live) this.#stop();
    this.#live = live;
    this.#refresh();
  }

  setSeen(seen) {
    this.#seen = seen;
    this.#refresh();
  }

  setInView(inView) {
    this.#inView = inView;
    this.#refresh();
  }

  showViewers(counts) {
    // Packets are not counted: nothing is encoded for them.
    if (this.#video) return;
    if (counts) this.#shape(counts.pixelAspect);
    const viewers = counts?.viewers ?? 0;
    this.#find(".watching").textContent = viewers === 1 ? "1 viewer" : `${viewers} viewers`;
    // The server says that nobody watches: this picture's connection has gone without a word.
    this.#unwatched = this.#giveBack && viewers === 0 ? this.#unwatched + 1 : 0;
    if (this.#unwatched >= 4) this.#again();
  }

  remove() {
    visibility.unobserve(this.element);
    this.#stop();
    this.element.remove();
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }

  #button(name, label, act) {
    const button = this.#find(`.${name}`);
    button.setAttribute("aria-label", label);
    button.addEventListener("click", act);
  }

  #makeView() {
    const label = `Live picture of ${this.#channel}, stream ${this.#stream.name}`;
    if (this.#stream.kind === "packets") {
      const video = document.createElement("video");
      video.muted = true;
      video.playsInline = true;
      video.disableRemotePlayback = true;
      video.setAttribute("aria-label", label);
      this.#video = new VideoFeed(video, {
        playing: () => this.#hasPicture(),
        ended: (reason) => this.#retry(reason),
      });
      return video;
    }
    const image = document.createElement("img");
    image.alt = label;
    image.decoding = "async";
    image.addEventListener("load", () => this.#hasPicture());
    image.addEventListener("error", () => { if (image.hasAttribute("src")) this.#retry(); });
    return image;
  }

  /** Pixels that are not square are drawn as wide as they are to be shown. A video says it by itself. */
  #shape(aspect) {
    this.#screen.classList.toggle("stretched", Boolean(aspect));
    if (!aspect) return;
    const ratio = (this.#stream.width * aspect[0]) / (this.#stream.height * aspect[1]);
    this.#screen.style.setProperty("--ratio", String(ratio));
  }

  /** Starts or stops, as things are. */
  #refresh() {
    this.#showState();
    const wanted = this.#live && this.#seen && this.#inView && !this.#paused && this.#stream.kind !== "none";
    if (!wanted) {
      this.#stop();
    } else if (!this.#isShowing) {
      this.#start();
    }
  }

  async #start() {
    this.#isShowing = true;
    const turn = ++this.#turn;
    const giveBack = await liveConnections.take();
    if (turn !== this.#turn) return giveBack?.();
    this.#giveBack = giveBack;
    this.element.classList.toggle("still", !giveBack);
    if (this.#video) {
      if (giveBack) {
        this.#video.start(`${this.#path}.mp4`, this.#stream.codec);
      } else {
        this.#retry("Too many live pictures at once: pause another");
      }
    } else if (giveBack) {
      // Each start is a request of its own: browsers would join equal ones.
      this.#view.src = `${this.#path}.mjpg?ahead=1&start=${Date.now()}`;
    } else {
      this.#showStill();
    }
  }

  /** Another still, and a look whether a live connection has come free. */
  #showStill() {
    this.#view.src = `${this.#path}.jpg?start=${Date.now()}`;
    const turn = this.#turn;
    this.#timer = setTimeout(async () => {
      const giveBack = await liveConnections.take();
      giveBack?.();
      if (turn !== this.#turn) return;
      if (giveBack) {
        this.#again();
      } else {
        this.#showStill();
      }
    }, stillInterval);
  }

  #stop() {
    this.#isShowing = false;
    this.#turn += 1;
    this.#unwatched = 0;
    clearTimeout(this.#timer);
    this.#video?.stop();
    if (this.#view.tagName === "IMG" && this.#view.hasAttribute("src")) this.#freeze();
    this.#giveBack?.();
    this.#giveBack = undefined;
  }

  /** Ends the connection and keeps the last picture on the screen, on a canvas behind. */
  #freeze() {
    const image = this.#view;
    if (image.naturalWidth > 0) {
      let last = this.#screen.querySelector("canvas");
      if (!last) {
        last = document.createElement("canvas");
        last.setAttribute("aria-hidden", "true");
        this.#screen.prepend(last);
      }
      last.width = image.naturalWidth;
      last.height = image.naturalHeight;
      last.getContext("2d").drawImage(image, 0, 0);
    }
    image.removeAttribute("src");
  }

  #again() {
    this.#stop();
    this.#refresh();
  }

  #retry(reason) {
    this.#stop();
    this.#isShowing = true;
    if (reason) this.#veil.textContent = reason;
    this.element.classList.toggle("waiting", true);
    const turn = this.#turn;
    this.#timer = setTimeout(() => {
      if (turn === this.#turn) this.#again();
    }, this.#retryDelay);
    this.#retryDelay = Math.min(2 * this.#retryDelay, 8000);
  }

  #hasPicture() {
    this.#retryDelay = 500;
    this.#unwatched = 0;
    this.element.classList.remove("waiting");
    this.#screen.querySelector("canvas")?.remove();
  }

  #showState() {
    const kept = this.#paused ? "Paused" : this.#stream.kind === "none" ? `${this.#stream.format} can't be shown` : "";
    this.#veil.textContent = this.#live ? kept : "No signal";
    this.element.classList.toggle("no-signal", !this.#live);
    this.element.classList.toggle("paused", this.#paused);
  }

  #togglePause() {
    this.#paused = !this.#paused;
    this.#find(".pause").setAttribute("aria-pressed", String(this.#paused));
    this.#refresh();
  }

  #enlarge() {
    if (document.fullscreenElement) {
      document.exitFullscreen();
    } else if (this.#screen.requestFullscreen) {
      this.#screen.requestFullscreen();
    } else {
      // iPhones enlarge videos alone.
      this.#view.webkitEnterFullscreen?.();
    }
  }

  async #saveSnapshot() {
    const label = `${this.#channel} ${this.#stream.name}`;
    try {
      const { blob, number } = this.#video ? await this.#video.snapshot() : await this.#fetchSnapshot();
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${this.#channel}-${this.#stream.name}-${number}.jpg`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      this.#announce(`Saved ${link.download}`);
    } catch (error) {
      this.#announce(`No snapshot of ${label}: ${error.message}`);
    }
  }

  async #fetchSnapshot() {
    const answer = await fetch(`${this.#path}.jpg?quality=95`);
    if (!answer.ok) throw new Error((await answer.json()).error);
    return { blob: await answer.blob(), number: answer.headers.get("X-Sequence") ?? Date.now() };
  }
}
