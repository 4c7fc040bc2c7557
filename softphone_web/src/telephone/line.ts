/**
 * The line: a SIP registration over the page's own WebSocket (RFC 7118), by JsSIP. Loaded when it is needed.
 *
 *     const line = new Line(credentials, { opened, lost, refused, rings });
 *     line.call("1002", options);
 *
 * The password lasts some minutes: `renew` gives the line the next one. A line that is `dropped` says nothing to the
 * node, so that its calls can be taken up elsewhere; one that is `closed` ends them and signs off.
 */
import { UA, WebSocketInterface } from "jssip";
import type { RTCSession } from "jssip/lib/RTCSession";
import type { CallOptions, IncomingRTCSessionEvent, RTCSessionEvent } from "jssip/lib/UA";
import type { IncomingRequest } from "jssip/lib/SIPMessage";

export interface IceServer {
  readonly urls: readonly string[];
  readonly username?: string;
  readonly credential?: string;
}

/** What `POST /telephone` gives. expires_at: Unix seconds. */
export interface Credentials {
  readonly extension: string;
  readonly name: string;
  readonly domain: string;
  readonly sign_in: string;
  readonly username: string;
  readonly password: string;
  readonly expires_at: number;
  readonly ice_servers: readonly IceServer[];
  readonly ice_policy: RTCIceTransportPolicy;
  readonly features?: { readonly record: boolean; readonly video: boolean };
}

export interface LineListener {
  /** It is registered: calls reach it. */
  opened: () => void;
  /** There is no connection; it tries again by itself. */
  lost: () => void;
  /** The node doesn't take its password, which may be too old. */
  refused: (status: number) => void;
  /** A call comes in. */
  rings: (session: RTCSession, request: IncomingRequest) => void;
}

interface Transport {
  connect: () => void;
  disconnect: () => void;
}

const REGISTER_SECONDS = 120;
const LONGEST_WAIT_SECONDS = 8;
const DECLINED = 480;

export class Line {
  private readonly agent: UA;

  /**
   * instance: names this browser to the node for good, as a UUID (RFC 5626 section 4.1); "" for a visitor, whom no
   * call can reach. headers: of the calls that it makes.
   */
  constructor(
    private credentials: Credentials,
    private readonly listener: LineListener,
    private readonly instance: string,
    path = "/sip",
    private readonly headers: readonly string[] = [],
  ) {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.agent = new UA({
      sockets: [new WebSocketInterface(`${scheme}://${location.host}${path}`)],
      uri: `sip:${credentials.sign_in}@${credentials.domain}`,
      display_name: credentials.name,
      authorization_user: credentials.username,
      password: credentials.password,
      ...(instance === "" ? {} : { instance_id: `uuid:${instance}` }),
      register: instance !== "",
      register_expires: REGISTER_SECONDS,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: LONGEST_WAIT_SECONDS,
      // The node asks whether the telephone is still there; a timer of JsSIP's ends a call that a network lost.
      session_timers: false,
      user_agent: "Beffroi",
    });
    this.agent.on(instance === "" ? "connected" : "registered", () => this.listener.opened());
    this.agent.on("disconnected", () => this.listener.lost());
    this.agent.on("registrationFailed", (event) => this.registrationFailed(event.response as unknown));
    this.agent.on("newRTCSession", (event: RTCSessionEvent) => {
      if ((event.originator as string) === "remote") this.came(event as IncomingRTCSessionEvent);
    });
  }

  open(): void {
    this.agent.start();
  }

  /** Go on with the next password. */
  renew(credentials: Credentials): void {
    this.credentials = credentials;
    this.agent.set("authorization_user", credentials.username);
    this.agent.set("password", credentials.password);
    if (this.agent.isConnected()) this.agent.register();
  }

  isOpen(): boolean {
    return this.agent.isConnected() && (this.instance === "" || this.agent.isRegistered());
  }

  /** Begin a call. Raises what JsSIP does where the number can't be dialled at all. */
  call(target: string, options: CallOptions): RTCSession {
    return this.agent.call(this.address(target), { pcConfig: this.network(), extraHeaders: [...this.headers], ...options });
  }

  /** The address of a number on this node. */
  address(target: string): string {
    return `sip:${encodeURIComponent(target).replaceAll("%2B", "+")}@${this.credentials.domain}`;
  }

  /** What a peer connection needs to know of the network. */
  network(): RTCConfiguration {
    const { ice_servers: servers, ice_policy: policy } = this.credentials;
    return { iceServers: servers.map((one) => ({ ...one, urls: [...one.urls] })), iceTransportPolicy: policy };
  }

  /** The network has changed: the old connection leads nowhere, whatever the browser believes. */
  reconnect(): void {
    this.transport().disconnect();
    this.transport().connect();
  }

  /** Say nothing more and hear nothing more; the node doesn't learn of it. */
  drop(): void {
    this.transport().disconnect();
  }

  /** Sign off while the page goes: it may be shown again. */
  signOff(): void {
    if (this.isOpen()) this.agent.unregister();
  }

  /** End its calls and sign off. */
  close(): void {
    this.agent.stop();
  }

  private came({ session, request }: IncomingRTCSessionEvent): void {
    if (session.isEnded()) return;
    if (request.body === "") session.terminate({ status_code: DECLINED });
    else this.listener.rings(session, request);
  }

  private registrationFailed(response: unknown): void {
    const status = (response as { status_code?: number } | null | undefined)?.status_code;
    if (status === undefined) {
      this.listener.lost();
      // Nothing was answered: a connection that seems to be there and isn't.
      if (this.agent.isConnected()) this.reconnect();
    } else this.listener.refused(status);
  }

  private transport(): Transport {
    return (this.agent as unknown as { transport: Transport }).transport;
  }
}
