/** The bench inside a page (chromium.ts): one case after another, at Node's word. What crosses over is plain JSON. */
import { openDevice, type Device } from "../src/tensor/index.ts";
import type { Suite } from "./case.ts";
import { chosenSuites, planFor } from "./choice.ts";
import type { Engine, PeerName } from "./engine.ts";
import { baselineOf, startPeer, type Peer } from "./engines/peers.ts";
import { tramaEngine } from "./engines/trama.ts";
import { measure, type Bench, type CaseResult } from "./measure.ts";
import { adapterClass, type AdapterClass } from "./targets.ts";

export interface PageRequest {
  readonly quick: boolean;
  /** Source of a pattern. */
  readonly only: string | null;
  readonly against: readonly PeerName[];
}

/** Where the page runs, and what it is going to measure. */
export interface PageReport {
  readonly adapter: Device["adapter"]["name"];
  readonly kind: AdapterClass;
  readonly variant: Device["variant"];
  readonly peers: readonly Pick<Engine, "name" | "version">[];
  readonly suites: readonly { readonly name: string; readonly cases: readonly string[] }[];
}

export interface BenchPage {
  start(request: PageRequest): Promise<PageReport>;
  measure(suite: string, name: string): Promise<CaseResult>;
}

let bench: Bench;
let suites: readonly Suite[] = [];

const named = ({ name, version }: Pick<Engine, "name" | "version">) => ({ name, version });

const page: BenchPage = {
  async start({ quick, only, against }) {
    const device = await openDevice();
    const choice = { quick, only: only === null ? null : new RegExp(only, "i") };
    suites = chosenSuites(choice, device);
    const trama = tramaEngine(device);
    const peers: Peer[] = [baselineOf(trama)];
    for (const name of against) peers.push(await startPeer(name, device, {}));
    bench = { trama, peers, plan: planFor(choice), signal: new AbortController().signal };
    return {
      adapter: device.name,
      kind: adapterClass(device),
      variant: device.variant,
      peers: peers.map(named),
      suites: suites.map(({ name, cases }) => ({ name, cases: cases.map((of) => of.name) })),
    };
  },
  async measure(suite, name) {
    const of = suites.find((each) => each.name === suite)!.cases.find((each) => each.name === name)!;
    const result = await measure(of, suite, bench);
    const asName = (key: string, value: unknown) => (key === "engine" ? named(value as Engine) : value);
    return JSON.parse(JSON.stringify(result, asName)) as CaseResult; // and without the case's functions
  },
};

Object.assign(globalThis, { benchPage: page });
