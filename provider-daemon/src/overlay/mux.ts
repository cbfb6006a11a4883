/**
 * A session of a tunnel as a state machine (docs/OVERLAY.md): what the peer sends and what this side wants go in, frames
 * and what has happened come out. It does no I/O and has no clock. Whatever the protocol forbids is thrown as a `Breach`.
 */
import { ControlBudget } from './control-budget.ts';
import { FrameReader } from './frame-reader.ts';
import {
  Breach,
  encodeFrame,
  encodeHead,
  type Frame,
  frameTypes,
  type Hello,
  maxDataBytes,
  maxStreamId,
  type Renewal,
  type Role,
  type StreamKind,
} from './frames.ts';
import {
  type MuxEffects,
  type MuxLimits,
  maxCreditBytes,
  minWindowBytes,
  muxLimits,
  smallCreditBytes,
} from './mux-effects.ts';

interface StreamState {
  readonly kind: StreamKind;
  /** Bytes that may be sent. */
  credit: number;
  /** Bytes that the peer may send. */
  open: number;
  /** Bytes that the peer may send at most before the reader has had any. */
  window: number;
  /** Bytes that the reader has had and that were not granted again. */
  consumed: number;
  endSent: boolean;
  endReceived: boolean;
  resetSent: boolean;
  resetReceived: boolean;
}

export class Mux {
  readonly #role: Role;
  readonly #limits: MuxLimits;
  readonly #effects: MuxEffects;
  readonly #reader: FrameReader;
  readonly #budget: ControlBudget;
  readonly #streams = new Map<number, StreamState>();
  #peer: Hello | undefined;
  /** The latest that was opened. */
  #lastId = 0;
  #growth = 0;
  #goAwaySent = false;
  #goAwayReceived = false;
  #isDrained = false;
  /** The one that is to be answered. */
  #pinged: bigint | undefined;

  constructor(role: Role, effects: MuxEffects, limits: Partial<MuxLimits> = {}) {
    this.#role = role;
    this.#limits = { ...muxLimits, ...limits };
    this.#effects = effects;
    this.#budget = new ControlBudget(this.#limits);
    this.#reader = new FrameReader({
      frame: (frame) => this.#onFrame(frame),
      dataHead: (stream, length) => this.#onDataHead(stream, length),
      dataPiece: (stream, piece) => this.#onDataPiece(stream, piece),
    });
  }

  /** Streams that are not over. */
  get openStreams(): number {
    return this.#streams.size;
  }

  /** The peer's hello has come. */
  get isWelcome(): boolean {
    return this.#peer !== undefined;
  }

  /** A caller may open one more. */
  get canOpen(): boolean {
    return this.isTaking && this.#streams.size < (this.#peer?.maxStreams ?? 0);
  }

  /** A caller may open streams, unless there are as many as the callee takes. */
  get isTaking(): boolean {
    const isOver = this.#goAwaySent || this.#goAwayReceived || this.#lastId >= maxStreamId;
    return this.#role === 'caller' && this.isWelcome && !isOver;
  }

  /** A stream that is not over. */
  isOpen(id: number): boolean {
    return this.#streams.has(id);
  }

  /** Says hello: the first that is to be done. */
  start(): void {
    const maxStreams = this.#role === 'callee' ? this.#limits.maxStreams : 0;
    this.#send({ type: 'hello', hello: { role: this.#role, window: this.#limits.window, maxStreams } });
  }

  /** What has come from the peer. @throws Breach; the session is to be cut */
  receive(chunk: Buffer): void {
    this.#reader.push(chunk);
  }

  /** A second has gone by. */
  second(): void {
    this.#budget.second();
  }

  /** Opens a stream, which can be written to at once. @throws Error unless `canOpen` */
  open(kind: StreamKind): number {
    if (!this.canOpen) throw new Error('no stream can be opened now');
    this.#lastId += 1;
    this.#streams.set(this.#lastId, this.#fresh(kind));
    this.#send({ type: 'open', stream: this.#lastId, kind });
    return this.#lastId;
  }

  /** Bytes that may be written to a stream now. */
  credit(id: number): number {
    const stream = this.#streams.get(id);
    return stream === undefined || stream.endSent || stream.resetSent ? 0 : stream.credit;
  }

  /** Sends the first bytes that may be sent. @returns how many: at most one frame, 0 without credit */
  write(id: number, bytes: Buffer): number {
    const length = Math.min(this.credit(id), bytes.length, maxDataBytes);
    if (length === 0) return 0;
    this.#streams.get(id)!.credit -= length;
    const payload = length === bytes.length ? bytes : bytes.subarray(0, length);
    this.#effects.sendData(encodeHead(frameTypes.data, length, id), payload);
    return length;
  }

  /** Ends this side's direction. */
  end(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.endSent || stream.resetSent || stream.kind !== 'stream') return;
    stream.endSent = true;
    this.#send({ type: 'end', stream: id });
    this.#forgetIfOver(id, stream);
  }

  /** Ends both directions; nothing more comes of it. */
  reset(id: number, code: number, text: string): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.resetSent) return;
    stream.resetSent = true;
    this.#send({ type: 'reset', stream: id, code, text });
    this.#forgetIfOver(id, stream);
  }

  /** The reader has had so many bytes: they are granted again, half a window at a time. */
  consumed(id: number, bytes: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.endReceived || stream.resetSent) return;
    stream.consumed += bytes;
    if (stream.consumed * 2 < stream.window) return;
    const granted = stream.consumed + this.#grow(stream);
    stream.consumed = 0;
    stream.open += granted;
    this.#send({ type: 'credit', stream: id, bytes: granted });
  }

  datagram(id: number, payload: Buffer): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.kind !== 'datagrams' || stream.resetSent) return;
    this.#send({ type: 'datagram', stream: id, payload });
  }

  ping(nonce: bigint): void {
    this.#pinged = nonce;
    this.#send({ type: 'ping', nonce });
  }

  /** Shows newer certificates of this side. */
  renew(renewal: Renewal): void {
    this.#send({ type: 'renew', renewal });
  }

  /** Wants no new streams: those that are open go on, then both sides are `drained`. */
  goAway(): void {
    if (this.#goAwaySent) return;
    this.#goAwaySent = true;
    this.#send({ type: 'goAway' });
    this.#tellIfDrained();
  }

  /** The last frame. */
  close(code: number, text: string): void {
    this.#send({ type: 'close', code, text });
  }

  #send(frame: Frame): void {
    this.#effects.send(encodeFrame(frame));
  }

  #fresh(kind: StreamKind): StreamState {
    const { window } = this.#limits;
    return {
      ...{ kind, window, open: window, credit: this.#peer?.window ?? 0, consumed: 0 },
      ...{ endSent: false, endReceived: false, resetSent: false, resetReceived: false },
    };
  }

  /** A reader that has had all that came waits for nothing but the window: it becomes twice as large. */
  #grow(stream: StreamState): number {
    const unread = stream.window - stream.open - stream.consumed;
    if (unread > 0) return 0;
    const { maxWindow, growth } = this.#limits;
    const more = Math.max(0, Math.min(stream.window, maxWindow - stream.window, growth - this.#growth));
    this.#growth += more;
    stream.window += more;
    return more;
  }

  #forgetIfOver(id: number, stream: StreamState): void {
    const isEnded = stream.endSent && stream.endReceived;
    if (!isEnded && !(stream.resetSent && stream.resetReceived)) return;
    this.#streams.delete(id);
    this.#growth -= stream.window - this.#limits.window;
    this.#tellIfDrained();
  }

  #tellIfDrained(): void {
    const isOver = this.#goAwaySent && this.#goAwayReceived && this.#streams.size === 0;
    if (!isOver || this.#isDrained) return;
    this.#isDrained = true;
    this.#effects.drained();
  }

  #onDataHead(id: number, length: number): void {
    const stream = this.#standing(id, 'data');
    if (stream.kind !== 'stream') throw new Breach(`data on stream ${id}, which carries datagrams`);
    if (stream.endReceived || stream.resetReceived) throw new Breach(`data on stream ${id} after its end`);
    if (length > stream.open) throw new Breach(`${length} bytes on stream ${id}, of which ${stream.open} were granted`);
    stream.open -= length;
  }

  #onDataPiece(id: number, piece: Buffer): void {
    // Of one that this side has reset, the rest is dropped.
    if (this.#streams.get(id)?.resetSent === false) this.#effects.data(id, piece);
  }

  #onFrame(frame: Frame): void {
    if (this.#peer === undefined && frame.type !== 'hello' && frame.type !== 'close') {
      throw new Breach(`a ${frame.type} frame before the hello`);
    }
    switch (frame.type) {
      case 'hello':
        this.#onHello(frame.hello);
        break;
      case 'open':
        this.#onOpen(frame.stream, frame.kind);
        break;
      case 'end':
        this.#onEnd(frame.stream);
        break;
      case 'reset':
        this.#onReset(frame);
        break;
      case 'credit':
        this.#onCredit(frame.stream, frame.bytes);
        break;
      case 'datagram':
        this.#onDatagram(frame.stream, frame.payload);
        break;
      case 'ping':
        this.#budget.control();
        this.#send({ type: 'pong', nonce: frame.nonce });
        break;
      case 'pong':
        this.#onPong(frame.nonce);
        break;
      case 'goAway':
        this.#onGoAway();
        break;
      case 'close':
        this.#effects.closed(frame.code, frame.text);
        break;
      case 'renew':
        this.#onRenew(frame.renewal);
        break;
    }
  }

  #onHello(hello: Hello): void {
    if (this.#peer !== undefined) throw new Breach('a second hello');
    if (hello.role === this.#role) throw new Breach(`both sides say that they are the ${hello.role}`);
    if (hello.window < minWindowBytes || hello.window > maxCreditBytes) {
      throw new Breach(`a window of ${hello.window} bytes`);
    }
    this.#peer = hello;
    this.#effects.welcomed(hello);
  }

  #onOpen(id: number, kind: StreamKind): void {
    if (this.#role === 'caller') throw new Breach('the callee opens a stream');
    if (this.#goAwayReceived) throw new Breach('a stream is opened after the go-away');
    if (id !== this.#lastId + 1) throw new Breach(`stream ${id} is opened after stream ${this.#lastId}`);
    if (this.#streams.size >= this.#limits.maxStreams) {
      throw new Breach(`more than ${this.#limits.maxStreams} streams at once`);
    }
    this.#lastId = id;
    this.#streams.set(id, this.#fresh(kind));
    this.#effects.opened(id, kind);
  }

  #onEnd(id: number): void {
    const stream = this.#standing(id, 'end');
    if (stream.kind !== 'stream') throw new Breach(`an end of stream ${id}, which carries datagrams`);
    if (stream.endReceived || stream.resetReceived) throw new Breach(`a second end of stream ${id}`);
    stream.endReceived = true;
    if (!stream.resetSent) this.#effects.ended(id);
    this.#forgetIfOver(id, stream);
  }

  #onReset({ stream: id, code, text }: { stream: number; code: number; text: string }): void {
    this.#budget.control();
    const stream = this.#known(id, 'reset');
    if (stream === undefined) return;
    stream.resetReceived = true;
    const isAnswer = stream.resetSent;
    // Each reset is answered by one: after that neither side has anything of the stream on its way.
    if (!isAnswer) {
      stream.resetSent = true;
      this.#send({ type: 'reset', stream: id, code: 0, text: '' });
    }
    this.#forgetIfOver(id, stream);
    if (!isAnswer) this.#effects.reset(id, code, text);
  }

  #onCredit(id: number, bytes: number): void {
    if (bytes < smallCreditBytes) this.#budget.control();
    const stream = this.#known(id, 'credit');
    if (stream === undefined) return;
    if (stream.kind !== 'stream') throw new Breach(`credit for stream ${id}, which carries datagrams`);
    stream.credit += bytes;
    if (stream.credit > maxCreditBytes) throw new Breach(`credit of ${stream.credit} bytes for stream ${id}`);
    if (!stream.endSent && !stream.resetSent) this.#effects.credited(id);
  }

  #onDatagram(id: number, payload: Buffer): void {
    const stream = this.#standing(id, 'datagram');
    if (stream.kind !== 'datagrams') throw new Breach(`a datagram on stream ${id}, which carries bytes`);
    if (stream.resetReceived) throw new Breach(`a datagram on stream ${id} after its end`);
    if (!stream.resetSent) this.#effects.datagram(id, payload);
  }

  #onPong(nonce: bigint): void {
    if (nonce !== this.#pinged) throw new Breach('an answer to a ping that was not sent');
    this.#pinged = undefined;
    this.#effects.pong(nonce);
  }

  #onRenew(renewal: Renewal): void {
    this.#budget.renewal();
    this.#effects.renewed(renewal);
  }

  #onGoAway(): void {
    if (this.#goAwayReceived) throw new Breach('a second go-away');
    this.#goAwayReceived = true;
    if (!this.#goAwaySent) this.#effects.goingAway();
    this.goAway();
    this.#tellIfDrained();
  }

  /** Data, ends and datagrams are of streams that stand: both sides know when one is over. */
  #standing(id: number, what: string): StreamState {
    if (this.#peer === undefined) throw new Breach('a frame before the hello');
    const stream = this.#streams.get(id);
    if (stream === undefined) throw new Breach(`${what} of stream ${id}, which is not open`);
    return stream;
  }

  /** Credits and resets may cross the end of their stream on the way. */
  #known(id: number, what: string): StreamState | undefined {
    if (id > this.#lastId) throw new Breach(`${what} of stream ${id}, which was never opened`);
    return this.#streams.get(id);
  }
}
