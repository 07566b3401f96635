// Named events. An `error` that nobody listens to is a warning on the console, never a throw.

export class Emitter {
  #listeners = new Map();

  on(event, listener) {
    if (typeof listener !== "function") throw new TypeError("a listener is a function");
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    return this;
  }

  once(event, listener) {
    const once = (...values) => {
      this.off(event, once);
      listener(...values);
    };
    once.listener = listener;
    return this.on(event, once);
  }

  off(event, listener) {
    const others = (this.#listeners.get(event) ?? []).filter(it => it !== listener && it.listener !== listener);
    this.#listeners.set(event, others);
    return this;
  }

  has(event) {
    return (this.#listeners.get(event) ?? []).length > 0;
  }

  emit(event, ...values) {
    if (event === "error" && !this.has(event)) {
      console.warn("tidings:", ...values);
      return;
    }
    for (const listener of this.#listeners.get(event) ?? []) listener(...values);
  }
}
