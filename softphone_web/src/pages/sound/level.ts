/** How loud a microphone hears: from 0 to 1, and in a word. */
import { useEffect, useState } from "react";

export type Loudness = "none" | "low" | "good" | "loud";

const EVERY_MS = 100;
const SAMPLES = 1024;
const FALL = 0.94;
const QUIETEST_DB = -60;

/** The level of samples from -1 to 1: 0 at -60 dB of full scale and below, 1 at full scale. */
export function levelOf(samples: Float32Array): number {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length);
  const decibels = 10 * Math.log10(Math.max(power, 1e-12));
  return Math.min(1, Math.max(0, 1 - decibels / QUIETEST_DB));
}

export function loudnessOf(level: number): Loudness {
  if (level < 0.08) return "none";
  if (level < 0.35) return "low";
  return level < 0.92 ? "good" : "loud";
}

/** The level of what a stream brings, ten times a second; 0 without one. */
export function useLevel(stream: MediaStream | undefined): number {
  const [level, setLevel] = useState(0);
  useEffect(() => {
    if (stream === undefined) return undefined;
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: SAMPLES });
    context.createMediaStreamSource(stream).connect(analyser);
    void context.resume();
    const samples = new Float32Array(SAMPLES);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      // It falls slowly: a word lasts longer than a sample, and is heard as one.
      setLevel((before) => Math.max(levelOf(samples), before * FALL));
    }, EVERY_MS);
    return () => {
      clearInterval(timer);
      void context.close();
      setLevel(0);
    };
  }, [stream]);
  return level;
}
