/** Connections into the mesh: to its forward proxy, through a tunnel of it, or straight to its reverse routes. */

import * as http from "node:http";
import * as https from "node:https";
import type { Duplex } from "node:stream";
import * as tls from "node:tls";
import { urlToHttpOptions } from "node:url";

/** Seconds for a connection to come about. */
export const CONNECT_SECONDS = 10;

type Opened = (fault: Error | null, socket: Duplex) => void;

/** Those of one agent. Nothing of the environment leads them elsewhere. */
export class Connections {
  readonly #plain = new http.Agent({ keepAlive: true });
  readonly #encrypted: https.Agent;
  readonly #tunnels = new Map<string, TunnelAgent>();
  readonly #ca: string | undefined;

  /** `ca` are certificate authorities in PEM, undefined for the system's. */
  constructor(ca: string | undefined) {
    this.#ca = ca;
    this.#encrypted = new https.Agent({ keepAlive: true, ...verification(ca) });
  }

  /** A request that was not sent yet, through `proxy`, or to where its URL says (null). `url` is a proof's target. */
  request(method: string, url: string, headers: http.OutgoingHttpHeaders, proxy: string | null): http.ClientRequest {
    const target = new URL(url);
    const path = url.slice(url.indexOf("/", target.protocol.length + 2));
    const options = { method, headers: { ...headers, host: target.host } };
    if (proxy === null || target.protocol === "https:") {
      const agent = proxy === null ? this.#agent(target.protocol) : this.#tunnel(proxy);
      return client(target.protocol).request({ ...addressOf(target), ...options, path, agent });
    }
    const place = new URL(proxy);
    return client(place.protocol).request({
      ...addressOf(place),
      ...options,
      path: url,
      agent: this.#agent(place.protocol),
    });
  }

  /** Close what nobody uses, now or when its answer has come to its end. */
  close(): void {
    for (const agent of [this.#plain, this.#encrypted, ...this.#tunnels.values()]) {
      agent.maxFreeSockets = 0;
      for (const sockets of Object.values(agent.freeSockets)) {
        sockets?.forEach((socket) => socket.destroy());
      }
    }
  }

  #agent(protocol: string): http.Agent {
    return protocol === "https:" ? this.#encrypted : this.#plain;
  }

  #tunnel(proxy: string): TunnelAgent {
    const agent = this.#tunnels.get(proxy) ?? new TunnelAgent(new URL(proxy), this.#ca);
    this.#tunnels.set(proxy, agent);
    return agent;
  }
}

/** Connects by `CONNECT` to the forward proxy, and speaks TLS inside. Who calls is told by each request in there. */
class TunnelAgent extends https.Agent {
  readonly #proxy: URL;
  readonly #ca: string | undefined;

  constructor(proxy: URL, ca: string | undefined) {
    super({ keepAlive: true });
    this.#proxy = proxy;
    this.#ca = ca;
  }

  override createConnection(options: https.RequestOptions, opened?: Opened): undefined {
    const host = options.host ?? "";
    const address = `${host.includes(":") ? `[${host}]` : host}:${options.port ?? 443}`;
    const request = client(this.#proxy.protocol).request({
      ...addressOf(this.#proxy),
      ...verification(this.#ca),
      method: "CONNECT",
      path: address,
      headers: { host: address },
      agent: false,
    });
    const timer = setTimeout(() => request.destroy(new Error("no tunnel in time")), CONNECT_SECONDS * 1000);
    const end = (fault: Error | null, socket?: Duplex): void => {
      clearTimeout(timer);
      (opened as ((fault: Error | null, socket?: Duplex) => void) | undefined)?.(fault, socket);
    };
    request.once("error", end);
    request.once("connect", (answer, socket, head) => {
      socket.on("error", () => socket.destroy()); // whoever uses it by then hears of it
      if (answer.statusCode !== 200 || head.length > 0) {
        socket.destroy();
        end(new Error(`it opens no tunnel to ${address}: status ${answer.statusCode}`));
        return;
      }
      const servername = options.servername ?? "";
      const inside = tls.connect({ ...verification(this.#ca), socket, host, servername, ALPNProtocols: ["http/1.1"] });
      inside.once("error", end);
      inside.once("secureConnect", () => {
        inside.removeListener("error", end);
        end(null, inside);
      });
    });
    request.end();
  }
}

function client(protocol: string): typeof http | typeof https {
  return protocol === "https:" ? https : http;
}

function addressOf(url: URL): http.RequestOptions {
  const { hostname, port, protocol } = urlToHttpOptions(url);
  return { hostname: hostname ?? null, port: port ?? null, protocol: protocol ?? null };
}

/** Said outright: the environment can turn verification off for whoever says nothing. */
function verification(ca: string | undefined): { rejectUnauthorized: true; ca?: string } {
  return ca === undefined ? { rejectUnauthorized: true } : { rejectUnauthorized: true, ca };
}
