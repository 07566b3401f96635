// The JavaScript client of Tidings: one WebSocket to one channel, kept open, its watches resumed without a gap.

export { WebSocketConnection } from "./src/connection.js";
