/** What is heard and seen in one call: our microphone and camera, the other one's voice and picture, and how it sounds. */
import { soundChoice } from "./devices";
import { type Loan, borrow } from "./microphone";
import { hidePictures, showPictures } from "./pictures";
import { type Reading, compare, readingOf } from "./quality";
import type { Quality } from "./shapes";
import { sendTo } from "./tones";

const DIGIT_MS = 120;
const GAP_MS = 80;

export class CallSound {
  isMuted = false;
  /** Nothing of ours is sent: there is no microphone. */
  isListening = false;
  /** Whether the other one shows something. */
  isSeen = false;
  quality: Quality | undefined;
  private loan: Loan | undefined;
  private camera: MediaStreamTrack | undefined;
  private readonly speaker = new Audio();
  private readonly heard = new MediaStream();
  private last: Reading | undefined;

  /** connection: the one of now; changed: to be called when something that is shown has changed. */
  constructor(
    private readonly call: string,
    private readonly connection: () => RTCPeerConnection | undefined,
    private readonly changed: () => void,
  ) {
    this.speaker.autoplay = true;
    this.speaker.srcObject = this.heard;
    this.follow();
  }

  get isShown(): boolean {
    return this.camera !== undefined;
  }

  /** Have a microphone. Raises MicrophoneProblem. */
  async openMicrophone(): Promise<void> {
    if (this.loan !== undefined) return;
    this.loan = await borrow((track) => void this.senderOf("audio")?.replaceTrack(track));
    this.isListening = false;
    this.loan.track.enabled = !this.isMuted;
  }

  /** Have a camera, where there is one that we may use: else the call has sound alone. */
  async openCamera(): Promise<void> {
    const { camera } = soundChoice();
    const found = await navigator.mediaDevices
      .getUserMedia({ video: { width: 640, height: 360, ...(camera === "" ? {} : { deviceId: camera }) } })
      .catch(() => undefined);
    this.camera = found?.getVideoTracks()[0];
    showPictures(this.call, { ours: found });
  }

  /** What a new dialog begins with, for JsSIP. */
  options() {
    const stream = new MediaStream();
    if (this.loan !== undefined) stream.addTrack(this.loan.track);
    if (this.camera !== undefined) stream.addTrack(this.camera);
    const isSilent = this.loan === undefined;
    return {
      mediaConstraints: { audio: !isSilent, video: this.camera !== undefined },
      ...(isSilent ? {} : { mediaStream: stream }),
      rtcOfferConstraints: { offerToReceiveAudio: true },
    };
  }

  mute(isMuted: boolean): void {
    this.isMuted = isMuted;
    if (this.loan !== undefined) this.loan.track.enabled = !isMuted;
  }

  /** Press keys (RFC 4733, by the browser); what is still to be sent stays before them. */
  digits(keys: string): void {
    const sender = this.senderOf("audio")?.dtmf;
    sender?.insertDTMF(sender.toneBuffer + keys, DIGIT_MS, GAP_MS);
  }

  /** Send our picture, or no more: what is agreed on has to be agreed on anew. */
  async show(isShown: boolean): Promise<void> {
    if (isShown) {
      await this.openCamera();
      if (this.camera !== undefined) this.connection()?.addTrack(this.camera, new MediaStream());
      return;
    }
    const sender = this.senderOf("video");
    if (sender !== undefined) this.connection()?.removeTrack(sender);
    this.camera?.stop();
    this.camera = undefined;
    showPictures(this.call, { ours: undefined });
  }

  /** Hear what comes over a connection, as long as it is the one of now. */
  wire(connection: RTCPeerConnection): void {
    connection.addEventListener("track", ({ track }) => {
      if (connection !== this.connection()) return;
      if (track.kind === "video") {
        this.seen(track);
        return;
      }
      for (const old of this.heard.getTracks()) this.heard.removeTrack(old);
      this.heard.addTrack(track);
      this.follow();
      void this.speaker.play().catch(() => undefined); // a page that may not sound says so
    });
  }

  /** Sound where it is to sound now. */
  follow(): void {
    const { speaker, volume } = soundChoice();
    this.speaker.volume = volume;
    void sendTo(this.speaker, speaker);
  }

  /** Read how it sounds. isOpen: whether nobody holds. */
  async read(isOpen: boolean): Promise<void> {
    const connection = this.connection();
    if (connection?.connectionState !== "connected") return;
    const report = await connection.getStats();
    const entries: Record<string, unknown>[] = [];
    report.forEach((entry) => entries.push(entry as Record<string, unknown>));
    const sides = { speaks: isOpen && !this.isMuted && !this.isListening, hears: isOpen };
    const reading = readingOf(entries, sides);
    const quality = this.last === undefined ? undefined : compare(this.last, reading);
    if (this.last !== undefined && quality === undefined) return;
    this.last = reading;
    this.quality = quality;
    this.changed();
  }

  /** What was counted is of another connection. */
  forget(): void {
    this.last = undefined;
    this.quality = undefined;
  }

  close(): void {
    this.loan?.giveBack();
    this.loan = undefined;
    this.camera?.stop();
    this.camera = undefined;
    this.speaker.srcObject = null;
    hidePictures(this.call);
  }

  private seen(track: MediaStreamTrack): void {
    const change = () => {
      this.isSeen = !track.muted && track.readyState === "live";
      this.changed();
    };
    for (const event of ["mute", "unmute", "ended"]) track.addEventListener(event, change);
    showPictures(this.call, { theirs: new MediaStream([track]) });
    change();
  }

  private senderOf(kind: "audio" | "video"): RTCRtpSender | undefined {
    return this.connection()
      ?.getSenders()
      .find((sender) => sender.track?.kind === kind);
  }
}
