// The camera's controls, where its publisher offers them: a field for each, set when it is changed.

export class ControlsForm {
  #path;
  #announce;
  #details;
  #fields = new Map();

  constructor(channel, announce) {
    this.#path = `api/channels/${encodeURIComponent(channel)}/controls`;
    this.#announce = announce;
    this.element = document.getElementById("controls-template").content.firstElementChild.cloneNode(true);
    this.#details = this.element;
    this.#details.querySelector("form").setAttribute("aria-label", `Controls of ${channel}`);
    this.#details.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    this.#details.addEventListener("toggle", () => { if (this.#details.open) this.#read(); });
  }

  async #read() {
    try {
      const { controls } = await this.#ask({});
      for (const control of controls) this.#show(control);
    } catch (error) {
      this.#announce(`No controls: ${error.message}`);
    }
  }

  async #ask(options) {
    const answer = await fetch(this.#path, options);
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error);
    return body;
  }

  async #set(name, value) {
    try {
      const { controls } = await this.#ask({
        method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ [name]: value }),
      });
      const [outcome] = controls;
      if (outcome.error) throw new Error(outcome.error);
      this.#announce(`${name}: ${outcome.value}`);
    } catch (error) {
      this.#announce(`${name} was not set: ${error.message}`);
    }
    // One control changes others: an automatic makes what it governs inactive.
    await this.#read();
  }

  #show(control) {
    if (control.kind === "other") return;
    let field = this.#fields.get(control.name);
    if (!field) {
      field = this.#make(control);
      this.#fields.set(control.name, field);
      this.#details.querySelector("form").append(field.row);
    }
    field.input.disabled = control.read_only || control.inactive;
    if (document.activeElement === field.input && field.input.type !== "checkbox") return;
    if (control.kind === "boolean") {
      field.input.checked = (control.value ?? control.default) === "true";
    } else if (control.kind !== "button") {
      field.input.value = control.value ?? control.default ?? "";
      field.echo.textContent = field.input.type === "range" ? field.input.value : "";
    }
  }

  #make(control) {
    const row = document.createElement("label");
    const title = document.createElement("span");
    title.textContent = control.label || control.name;
    title.title = control.name;
    const echo = document.createElement("output");
    const input = this.#makeInput(control);
    if (control.kind === "button") {
      input.textContent = "Do it";
      input.setAttribute("aria-label", title.textContent);
      input.addEventListener("click", () => this.#set(control.name, true));
    } else {
      input.addEventListener("input", () => { if (input.type === "range") echo.textContent = input.value; });
      input.addEventListener("change", () => {
        this.#set(control.name, input.type === "checkbox" ? input.checked : input.value);
      });
    }
    row.append(title, input, echo);
    return { row, input, echo };
  }

  #makeInput(control) {
    if (control.kind === "menu") {
      const select = document.createElement("select");
      for (const item of control.items ?? []) select.append(new Option(item.name, item.value));
      return select;
    }
    if (control.kind === "button") {
      const button = document.createElement("button");
      button.type = "button";
      return button;
    }
    const input = document.createElement("input");
    const { minimum, maximum } = control;
    if (control.kind === "boolean") {
      input.type = "checkbox";
    } else if (control.kind === "integer" || control.kind === "number") {
      const room = Number(maximum) - Number(minimum);
      const isBounded = minimum !== undefined && maximum !== undefined && Number.isFinite(room);
      // A slider is for what a hand can set on it.
      input.type = isBounded && room <= 4096 ? "range" : "number";
      input.step = control.kind === "integer" ? "1" : input.type === "range" ? String(room / 200) : "any";
      if (minimum !== undefined) input.min = minimum;
      if (maximum !== undefined) input.max = maximum;
    } else {
      input.type = "text";
      input.spellcheck = false;
    }
    return input;
  }
}
