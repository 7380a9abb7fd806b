// Shared packets as video: fragmented MP4, appended as it comes, and watched close to its live end.

/** Seconds behind the newest picture: where playing aims at, and where it jumps ahead. */
const aim = 0.2;
const patience = 1.5;
/** Seconds of past video that are kept. */
const past = 10;

export class VideoFeed {
  #video;
  #on;
  #abort;

  /** `on.playing()` is called when pictures show, `on.ended(reason)` when they don't any more. */
  constructor(video, on) {
    this.#video = video;
    this.#on = on;
    video.addEventListener("playing", () => on.playing());
  }

  start(path, codec) {
    this.stop();
    const type = `video/mp4; codecs="${codec ?? "avc1.640028"}"`;
    const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;
    if (!Source?.isTypeSupported(type)) {
      this.#on.ended(`This browser does not play ${codec ?? "H.264"}`);
      return;
    }
    const abort = new AbortController();
    this.#abort = abort;
    const source = new Source();
    const address = URL.createObjectURL(source);
    this.#video.src = address;
    source.addEventListener("sourceopen", () => {
      URL.revokeObjectURL(address);
      this.#follow(source, type, path, abort.signal).catch((error) => {
        if (abort.signal.aborted) return;
        this.#on.ended(error.message);
      });
    }, { once: true });
  }

  stop() {
    this.#abort?.abort();
    this.#abort = undefined;
    // Without a source the element goes blank; paused it keeps its last picture.
    this.#video.pause();
  }

  /** The picture that shows now. */
  async snapshot() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    if (!width) throw new Error("there is no picture yet");
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").drawImage(this.#video, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
    return { blob, number: Date.now() };
  }

  async #follow(source, type, path, signal) {
    const buffer = source.addSourceBuffer(type);
    // Each piece follows the one before, whatever its times are: a source pauses, and a clock is set.
    buffer.mode = "sequence";
    const answer = await fetch(path, { signal });
    if (!answer.ok) throw new Error((await answer.json()).error);
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error("The stream has ended");
      await this.#settled(buffer, signal, () => buffer.appendBuffer(value));
      await this.#keepUp(buffer, signal);
    }
  }

  /** Does something that the buffer takes its time for. */
  #settled(buffer, signal, act) {
    const listeners = new AbortController();
    return new Promise((resolve, reject) => {
      const until = { signal: listeners.signal };
      buffer.addEventListener("updateend", resolve, until);
      buffer.addEventListener("error", () => reject(new Error("The video can't be decoded")), until);
      signal.addEventListener("abort", () => reject(new Error("stopped")), until);
      act();
    }).finally(() => listeners.abort());
  }

  async #keepUp(buffer, signal) {
    const video = this.#video;
    const ranges = buffer.buffered;
    if (ranges.length === 0) return;
    const end = ranges.end(ranges.length - 1);
    const start = ranges.start(ranges.length - 1);
    if (video.currentTime < start || end - video.currentTime > patience) {
      video.currentTime = Math.max(start, end - aim);
    }
    video.playbackRate = end - video.currentTime > 2 * aim ? 1.1 : 1;
    if (video.paused) await video.play();
    const first = ranges.start(0);
    if (first < video.currentTime - 2 * past) {
      await this.#settled(buffer, signal, () => buffer.remove(first, video.currentTime - past));
    }
  }
}
