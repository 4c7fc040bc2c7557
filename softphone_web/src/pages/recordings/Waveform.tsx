/** How loud each party is, one line each, with what happened marked on it. To look at: the slider below is for all. */
import type { Listening, ListeningState } from "./shapes";

const HEIGHT = 40;

export function Waveform({
  listening,
  peaks,
  at,
  names,
  quietEars,
  onSeek,
}: {
  readonly listening: Listening;
  readonly peaks: ListeningState["peaks"];
  readonly at: number;
  readonly names: readonly string[];
  /** Channels that aren't heard now. */
  readonly quietEars: ReadonlySet<number>;
  readonly onSeek: (second: number) => void;
}) {
  const width = Math.max(1, listening.points);
  const x = (second: number) => (second / listening.seconds) * width;
  return (
    // The slider does the same for whoever uses no pointer.
    <div
      className="waves"
      aria-hidden="true"
      onClick={(event) => {
        const box = event.currentTarget.querySelector("svg")?.getBoundingClientRect();
        if (box !== undefined) onSeek(((event.clientX - box.left) / box.width) * listening.seconds);
      }}
    >
      {listening.channels.map((channel, index) => (
        <div key={channel.party} className="wave" data-quiet={quietEars.has(index) || undefined}>
          <span className="wave-name">{names[index]}</span>
          <svg viewBox={`0 0 ${width} ${HEIGHT}`} preserveAspectRatio="none">
            {channel.silences.map(([from, to]) => (
              <rect key={from} className="wave-silence" x={x(from)} y={0} width={Math.max(1, x(to) - x(from))} height={HEIGHT} />
            ))}
            <path className="wave-sound" d={shape(peaks, index)} />
            {listening.parts.map((part, place) => (
              <line key={place} className="wave-part" x1={x(part.second)} x2={x(part.second)} y1={0} y2={HEIGHT} />
            ))}
            {listening.losses.map((loss, place) => (
              <line key={place} className="wave-loss" x1={x(loss.second)} x2={x(loss.second)} y1={0} y2={HEIGHT} />
            ))}
            <rect className="wave-heard" x={0} y={0} width={Math.min(width, x(at))} height={HEIGHT} />
            <line className="wave-now" x1={x(at)} x2={x(at)} y1={0} y2={HEIGHT} />
          </svg>
        </div>
      ))}
    </div>
  );
}

/** An area around the middle; loudness is drawn by its root, so that quiet voices are seen. */
function shape(peaks: ListeningState["peaks"], channel: number): string {
  const half = HEIGHT / 2;
  const tall = peaks.map((point) => Math.max(0.4, Math.sqrt((point[channel] ?? 0) / 1000) * half));
  if (tall.length === 0) return "";
  const above = tall.map((height, place) => `${place} ${(half - height).toFixed(1)}`);
  const below = tall.map((height, place) => `${place} ${(half + height).toFixed(1)}`).reverse();
  return `M${above.join("L")}L${below.join("L")}Z`;
}
