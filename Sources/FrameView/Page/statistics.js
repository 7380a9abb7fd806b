// A channel's numbers, as 'frameshare top' has them: rate, losses, pool, latency, and who reads.

const whole = new Intl.NumberFormat("en");

// What the server says of each number: so the page has figures that came after it was made.
let described = [];
fetch("api/figures").then((answer) => answer.json()).then((figures) => { described = figures.channel; }).catch(() => {});

/** Nanoseconds as people say them: three digits and a unit. */
export function duration(nanoseconds) {
  for (const [size, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
    if (nanoseconds >= size) return `${Number((nanoseconds / size).toPrecision(3))} ${unit}`;
  }
  return `${nanoseconds} ns`;
}

function svg(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

export class StatisticsPanel {
  #element;
  #rows = new Map();
  #lastRead = new Map();

  constructor(element, channel) {
    this.#element = element;
    element.setAttribute("aria-label", `Statistics of ${channel}`);
    element.append(document.getElementById("statistics-template").content.cloneNode(true));
    this.#find(".readers").setAttribute("aria-label", `Subscribers of ${channel}`);
  }

  show(statistics) {
    this.#set("rate", `${statistics.framesPerSecond.toFixed(1)} /s`);
    this.#set("published", whole.format(statistics.published));
    this.#setLoss("lost-source", statistics.lost.source);
    this.#setLoss("lost-no-slot", statistics.lost.no_free_slot);
    this.#showPool(statistics.pool, statistics.copies);
    this.#showLatency(statistics.latency);
    this.#showSubscribers(statistics.subscribers);
    this.#showAll(statistics);
  }

  /** Each figure with what it means. */
  #showAll(statistics) {
    const list = this.#find(".all dl");
    if (list.childElementCount === 0) {
      for (const { key, about } of described) {
        const row = document.createElement("div");
        const term = document.createElement("dt");
        term.textContent = about;
        const number = document.createElement("dd");
        number.dataset.figure = key;
        row.append(term, number);
        list.append(row);
      }
    }
    for (const number of list.querySelectorAll("dd")) {
      const { figure } = number.dataset;
      const value = figure.split(".").reduce((object, key) => object?.[key], statistics);
      number.textContent = value === null || value === undefined ? "–"
        : typeof value === "boolean" ? (value ? "yes" : "no")
          : figure.endsWith("_ns") ? duration(value) : whole.format(value);
    }
  }

  /** Says whether the numbers are of now: without a signal they are the last that there were. */
  setLive(live) {
    this.#find(".past").hidden = live;
    if (!live) this.#set("rate", "–");
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }

  #set(name, text) {
    this.#find(`[data-value=${name}]`).textContent = text;
  }

  #setLoss(name, count) {
    this.#set(name, whole.format(count));
    this.#find(`[data-value=${name}]`).parentElement.classList.toggle("lossy", count > 0);
  }

  /** A cell for each slot: with readers, at the source, free. */
  #showPool(pool, copies) {
    const held = Math.max(0, pool.slots - pool.free - pool.at_source);
    let text = `${held} held, ${pool.at_source} at the source, ${pool.free} free of ${pool.slots}`;
    if (copies) text += `; ${copies.slots - copies.free} of ${copies.slots} copies held`;
    this.#set("pool", text);
    const slots = this.#find(".slots");
    slots.setAttribute("aria-label", `Slots: ${text}`);
    while (slots.childElementCount > pool.slots) slots.lastElementChild.remove();
    while (slots.childElementCount < pool.slots) slots.append(document.createElement("i"));
    [...slots.children].forEach((cell, index) => {
      cell.className = index < held ? "held" : index < held + pool.at_source ? "at-source" : "free";
    });
  }

  #showLatency(latency) {
    const chart = this.#find("svg");
    const buckets = latency?.buckets ?? [];
    const most = Math.max(0, ...buckets.map((bucket) => bucket.count));
    if (most === 0) {
      this.#set("latency", "no frame read here yet");
      chart.replaceChildren();
      return;
    }
    const text = `half within ${duration(latency.p50)}, 99 of 100 within ${duration(latency.p99)}`;
    this.#set("latency", text);
    chart.setAttribute("aria-label", `Latency from publication to this server: ${text}`);
    const [width, height] = [320, 66];
    const step = width / buckets.length;
    const marks = Math.ceil(buckets.length / 6);
    chart.replaceChildren(svg("line", { x1: 0, x2: width, y1: height + 0.5, y2: height + 0.5 }));
    buckets.forEach((bucket, index) => {
      const tall = bucket.count === 0 ? 0 : Math.max(2, bucket.count / most * height);
      const bar = svg("rect", { x: index * step + 1, y: height - tall, width: step - 2, height: tall, rx: 1.5 });
      const bound = bucket.below_ns === null ? "more" : `below ${duration(bucket.below_ns)}`;
      bar.append(svg("title", {}, `${bound}: ${whole.format(bucket.count)}`));
      chart.append(bar);
      if (bucket.below_ns !== null && index % marks === marks - 1) {
        chart.append(svg("text", { x: (index + 1) * step, y: height + 14, "text-anchor": "middle" },
          duration(bucket.below_ns)));
      }
    });
  }

  #showSubscribers(subscribers) {
    const ids = new Set(subscribers.map((subscriber) => subscriber.id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
      this.#lastRead.delete(id);
    }
    const body = this.#find("tbody");
    for (const subscriber of subscribers) {
      let row = this.#rows.get(subscriber.id);
      if (!row) {
        row = document.createElement("tr");
        const name = document.createElement("th");
        name.scope = "row";
        name.append("", document.createElement("span"));
        row.append(name, ...Array.from({ length: 5 }, () => document.createElement("td")));
        this.#rows.set(subscriber.id, row);
        body.append(row);
      }
      this.#fill(row, subscriber);
    }
    if (subscribers.length === 0 && !body.querySelector(".none")) {
      const row = document.createElement("tr");
      row.className = "none";
      const cell = document.createElement("td");
      cell.colSpan = 6;
      cell.textContent = "nobody reads this channel";
      row.append(cell);
      body.append(row);
    } else if (subscribers.length > 0) {
      body.querySelector(".none")?.remove();
    }
  }

  #fill(row, subscriber) {
    const { dropped_by: by, latency_ns: latency } = subscriber;
    const [name, policy] = row.firstElementChild.childNodes;
    name.data = subscriber.name || "unnamed";
    const way = subscriber.group ? `group ${subscriber.group}` : subscriber.policy;
    policy.textContent = `${subscriber.pid}, ${way}`;
    // It gets no frame before it releases one.
    const isFull = subscriber.held >= subscriber.budget;
    const held = `${subscriber.held} of ${subscriber.budget}${subscriber.reserved ? " r" : ""}${subscriber.gets_copies ? " c" : ""}${isFull ? " FULL" : ""}`;
    const columns = [
      ["Delivered", whole.format(subscriber.delivered)],
      ["Dropped", whole.format(subscriber.dropped)],
      ["Queued", whole.format(subscriber.queued)],
      ["Held", held],
      ["Latency", latency && subscriber.delivered > 0 ? duration(latency.p50) : "–"],
    ];
    columns.forEach(([heading, text], index) => {
      const cell = row.children[index + 1];
      if (cell.textContent !== text) cell.textContent = text;
      cell.dataset.heading = heading;
    });
    const before = this.#lastRead.get(subscriber.id) ?? subscriber.dropped;
    row.children[2].classList.toggle("losing", subscriber.dropped > before);
    this.#lastRead.set(subscriber.id, subscriber.dropped);
    row.children[4].classList.toggle("losing", isFull);
    row.children[4].title = isFull ? "holds its whole budget: it gets no frame before it releases one" : "";
    if (by) row.children[2].title = `policy ${by.policy}, budget ${by.budget}, shortage ${by.shortage}`;
    if (latency) row.children[5].title = `p50 ${duration(latency.p50)}, p99 ${duration(latency.p99)}`;
  }
}
