/** A JSON value. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** A row. */
export type Item = { [name: string]: any };

/** Which rows are meant: a filter, an id, or several ids; none is every row. */
export type Params = { [name: string]: any } | string | number | Array<string | number | object> | null;

export interface Settings {
  /** `name:port`; in a browser the page's own by default. */
  host?: string;
  /** The channel that the calls are about: `nodes`. */
  channel?: string;
  /** `wss` instead of `ws`; in a browser as the page by default. */
  secure?: boolean;
  /** A JSON Web Token, or a function that is asked for one before each attempt. */
  token?: string | (() => string | Promise<string>);
  /** The WebSocket class; required where the platform has none (Node before 22). */
  WebSocket?: any;
  /** For tests: the time. */
  clock?: { now(): number; setTimeout(callback: () => void, delay: number): any; clearTimeout(timer: any): void };
  /** For tests: a number from 0 to 1, by chance. */
  random?: () => number;
}

export interface ReadOptions {
  /** Another resource than the channel. */
  resource?: string;
  limit?: number;
  skip?: number;
  /** `"name desc"`, `["type", "name desc"]` or `{ name: -1 }`. */
  sort?: string | string[] | { [field: string]: 1 | -1 };
  /** Dotted names of the fields to keep; `id` always is. */
  fields?: string[];
}

export interface WatchOptions {
  /** Another resource than the channel. */
  resource?: string;
  /** Begin with a list of the matching rows. */
  initial?: boolean;
  /** Go on from this position. */
  since?: string;
  /** Seconds of quiet after which the server says how far it is; 15 by default, 0 for never. */
  progress?: number;
  /** Let updates travel as patches; whole documents are told all the same. */
  patch?: boolean;
  /** With `patch`: the field that is the key of a row; `id` by default. */
  key?: string;
  /** Of a log: with how many lines the list begins. */
  limit?: number;
}

export interface Emitter {
  on(event: string, listener: (...values: any[]) => void): this;
  once(event: string, listener: (...values: any[]) => void): this;
  off(event: string, listener: (...values: any[]) => void): this;
}

export interface ListMessage { handler: "list"; resource: string; items: Item[]; position?: string; ref?: Json }
export interface ItemMessage {
  handler: "item"; resource: string; id: ["created" | "updated", string]; data: Item; position?: string; ref?: Json;
}
export interface RemoveMessage { handler: "remove"; resource: string; id: string; data: Item; position?: string; ref?: Json }
export interface ResumedMessage {
  handler: "resumed"; resource: string; complete: boolean; position: string;
  reason?: "retention" | "epoch" | "filter" | "source"; ref?: Json;
}
export interface ProgressMessage { handler: "progress"; resource: string; position: string; time: string; ref?: Json }
export interface ErrorMessage { handler: "error"; resource?: string; params: Failure; ref?: Json }

/** What a read rejects with: the server's `error.params`, as an Error. */
export interface Failure extends Error {
  error: string;
  status: number;
  summary: string;
}

export interface Watch {
  readonly ref: number;
  /** From here on a watch would miss nothing; null while it is not known. */
  readonly position: string | null;
  on(event: "list", listener: (message: ListMessage) => void): this;
  on(event: "item", listener: (message: ItemMessage) => void): this;
  on(event: "remove", listener: (message: RemoveMessage) => void): this;
  on(event: "resumed", listener: (message: ResumedMessage) => void): this;
  on(event: "progress", listener: (message: ProgressMessage) => void): this;
  on(event: "error", listener: (message: ErrorMessage) => void): this;
  on(event: string, listener: (message: any) => void): this;
  once(event: string, listener: (message: any) => void): this;
  off(event: string, listener: (message: any) => void): this;
  stop(): void;
}

export declare class WebSocketConnection {
  constructor(settings?: Settings);
  readonly events: Emitter;
  readonly wsConn: any | null;
  readonly id: string | null;
  connect(): void;
  disconnect(): void;
  ready(callback: () => void): void;
  init(callback: (id: string) => void): void;
  all(options?: ReadOptions): Promise<Item[]>;
  query(params?: Params, options?: ReadOptions): Promise<Item[]>;
  get(params: Params, options?: ReadOptions): Promise<Item | null>;
  watch(params?: Params, options?: WatchOptions): Watch;
  stop(params?: Params, options?: { resource?: string }): void;
  barrier(options?: { resource?: string }): Promise<string>;
}
