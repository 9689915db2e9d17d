//! The workloads of the sockets that tokio's `duplex` can do: the same command line, messages and
//! line of JSON as bench/sockets.
//!
//!     tokio --current|--multi [--capacity N] WORKLOAD COUNT [ARG...]

use std::process::exit;
use std::time::Instant;
use tokio::io::{duplex, AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::{Builder, Runtime};

const LINE: usize = 64;
const MESSAGES: usize = 16;
const BYTES_MAX: usize = 262144;
const READ_BYTES: usize = 65536;
const DEFAULT_CAPACITY: usize = 212992;
const STATUS_CANNOT: i32 = 3;

type Error = Box<dyn std::error::Error + Send + Sync>;

fn cannot(why: &str) -> ! {
    eprintln!("{why}");
    exit(STATUS_CANNOT)
}

// ---- messages, as in common.c ----

const WORDS: &[u8] = b"It was the best of times, it was the worst of times, it was the age of \
    wisdom, it was the age of foolishness, it was the epoch of belief, it was \
    the epoch of incredulity, it was the season of Light, ";

fn pattern() -> Vec<u8> {
    let byte = |i: usize| match i % LINE {
        0 => b'A' + (i / LINE % 26) as u8,
        _ => WORDS[i % WORDS.len()],
    };
    (0..BYTES_MAX + MESSAGES * LINE).map(byte).collect()
}

fn message(pattern: &[u8], i: usize, bytes: usize) -> &[u8] {
    let start = i % MESSAGES * LINE;
    &pattern[start..start + bytes]
}

fn check_message(pattern: &[u8], got: &[u8], i: usize) -> Result<(), Error> {
    let meant = message(pattern, i, got.len());
    if got[0] != meant[0] || got[got.len() - 1] != meant[got.len() - 1] {
        return Err("the bytes that arrived differ".into());
    }
    Ok(())
}

fn check_stream(pattern: &[u8], got: &[u8], position: usize, bytes: usize) -> Result<(), Error> {
    let last = position + got.len() - 1;
    let byte = |at: usize| message(pattern, at / bytes, bytes)[at % bytes];
    if got[0] != byte(position) || got[got.len() - 1] != byte(last) {
        return Err("the bytes that arrived differ".into());
    }
    Ok(())
}

// ---- the machine ----

fn pin(n: usize) {
    // SAFETY: both sets are plain memory of the size that is told, owned by this function.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        let size = std::mem::size_of::<libc::cpu_set_t>();
        libc::sched_getaffinity(libc::getpid(), size, &mut allowed);
        let cpus = (0..libc::CPU_SETSIZE as usize).filter(|&cpu| libc::CPU_ISSET(cpu, &allowed));
        match cpus.collect::<Vec<_>>().get(n) {
            Some(&cpu) => libc::CPU_SET(cpu, &mut one),
            None => cannot("needs two CPUs"),
        }
        libc::sched_setaffinity(0, size, &one);
    }
}

fn cpu_ns() -> i64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a timespec that the call fills.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec * 1_000_000_000 + t.tv_nsec
}

struct Span {
    cpu_ns: i64,
    start: Instant,
}

impl Span {
    fn begin() -> Span {
        Span { cpu_ns: cpu_ns(), start: Instant::now() }
    }

    fn end(self, run: &Request, bytes: usize, pairs: usize) -> Outcome {
        let ns = self.start.elapsed().as_nanos() as f64;
        let cpu = cpu_ns() - self.cpu_ns;
        let count = run.count as f64;
        Outcome { operations: run.count, each_ns: ns / count, each_cpu_ns: cpu as f64 / count, bytes, pairs }
    }
}

struct Outcome {
    operations: usize,
    each_ns: f64,
    each_cpu_ns: f64,
    bytes: usize,
    pairs: usize,
}

// ---- workloads ----

#[derive(Clone)]
struct Request {
    capacity: usize,
    count: usize,
    bytes: usize,
}

/// Reads as `read` does: what is there, but not nothing.
async fn read_some(from: &mut (impl AsyncRead + Unpin), into: &mut [u8]) -> Result<usize, Error> {
    match from.read(into).await? {
        0 => Err("the other end is gone".into()),
        n => Ok(n),
    }
}

async fn write_read(run: Request) -> Result<Outcome, Error> {
    let pattern = pattern();
    let mut got = vec![0; run.bytes];
    let (mut a, mut b) = duplex(run.capacity);
    let span = Span::begin();
    for i in 0..run.count {
        a.write_all(message(&pattern, i, run.bytes)).await?;
        b.read_exact(&mut got).await?;
        check_message(&pattern, &got, i)?;
    }
    Ok(span.end(&run, run.count * run.bytes, 1))
}

async fn echo(run: Request, mut end: DuplexStream) -> Result<(), Error> {
    let mut got = vec![0; run.bytes];
    end.write_all(&[0]).await?;
    for _ in 0..run.count {
        end.read_exact(&mut got).await?;
        end.write_all(&got).await?;
    }
    Ok(())
}

async fn ping_pong(run: Request) -> Result<Outcome, Error> {
    let pattern = pattern();
    let mut got = vec![0; run.bytes];
    let (mut mine, theirs) = duplex(run.capacity);
    let peer = tokio::spawn(echo(run.clone(), theirs));
    mine.read_u8().await?;
    let span = Span::begin();
    for i in 0..run.count {
        mine.write_all(message(&pattern, i, run.bytes)).await?;
        mine.read_exact(&mut got).await?;
        check_message(&pattern, &got, i)?;
    }
    let outcome = span.end(&run, 2 * run.count * run.bytes + 1, 1);
    peer.await??;
    Ok(outcome)
}

async fn swallow(run: Request, mut end: DuplexStream) -> Result<(), Error> {
    let pattern = pattern();
    let mut got = vec![0; run.bytes.max(READ_BYTES)];
    let all = run.count * run.bytes;
    let mut position = 0;
    end.write_all(&[0]).await?;
    while position < all {
        let n = read_some(&mut end, &mut got).await?;
        check_stream(&pattern, &got[..n], position, run.bytes)?;
        position += n;
    }
    end.write_all(&[0]).await?;
    Ok(())
}

async fn stream(run: Request) -> Result<Outcome, Error> {
    let pattern = pattern();
    let (mut mine, theirs) = duplex(run.capacity);
    let peer = tokio::spawn(swallow(run.clone(), theirs));
    mine.read_u8().await?;
    let span = Span::begin();
    for i in 0..run.count {
        mine.write_all(message(&pattern, i, run.bytes)).await?;
    }
    mine.read_u8().await?;
    let outcome = span.end(&run, run.count * run.bytes + 2, 1);
    peer.await??;
    Ok(outcome)
}

async fn create(run: Request) -> Result<Outcome, Error> {
    let mut last = duplex(run.capacity);
    let span = Span::begin();
    for _ in 0..run.count {
        last = duplex(run.capacity);
    }
    let outcome = span.end(&run, 1, run.count + 1);
    last.0.write_all(&[0]).await?;
    last.1.read_u8().await?;
    Ok(outcome)
}

// ---- the command line ----

fn runtime(multi: bool, cpus: usize) -> Result<Runtime, Error> {
    if !multi {
        pin(0);
        return Ok(Builder::new_current_thread().build()?);
    }
    let started = std::sync::atomic::AtomicUsize::new(0);
    let pin_next = move || {
        let nth = started.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        pin(nth % cpus);
    };
    Ok(Builder::new_multi_thread().worker_threads(2).on_thread_start(pin_next).build()?)
}

struct Words(std::vec::IntoIter<String>);

impl Words {
    fn word(&mut self) -> Result<String, Error> {
        self.0.next().ok_or_else(|| "usage: --current|--multi [--capacity N] WORKLOAD COUNT [ARG...]".into())
    }

    fn number(&mut self) -> Result<usize, Error> {
        Ok(self.word()?.parse()?)
    }

    /// How many CPUs two sides are to have: `threads|processes 1|2 block|poll|level|edge`.
    fn peer(&mut self, multi: bool) -> Result<usize, Error> {
        let kind = self.word()?;
        let cpus = self.number()?;
        if kind == "processes" {
            cannot("stays in one process");
        }
        if !multi && cpus > 1 {
            cannot("runs on one thread");
        }
        if self.word()? != "block" {
            cannot("has no descriptor to wait for");
        }
        Ok(cpus)
    }
}

fn run() -> Result<Outcome, Error> {
    let mut words = Words(std::env::args().skip(1).collect::<Vec<_>>().into_iter());
    let multi = match words.word()?.as_str() {
        "--multi" => true,
        "--current" => false,
        _ => return Err("--current or --multi".into()),
    };
    let mut workload = words.word()?;
    let mut run = Request { capacity: DEFAULT_CAPACITY, count: 0, bytes: 0 };
    if workload == "--capacity" {
        run.capacity = words.number()?;
        workload = words.word()?;
    }
    run.count = words.number()?;
    // The task that measures runs on a worker, as the other does, not on the thread that waits for both.
    match workload.as_str() {
        "create" => {
            let on = runtime(multi, 1)?;
            on.block_on(async move { tokio::spawn(create(run)).await? })
        }
        "write-read" => {
            run.bytes = words.number()?;
            let on = runtime(multi, 1)?;
            on.block_on(async move { tokio::spawn(write_read(run)).await? })
        }
        "ping-pong" | "stream" => {
            run.bytes = words.number()?;
            let on = runtime(multi, words.peer(multi)?)?;
            on.block_on(async move {
                if workload == "stream" {
                    tokio::spawn(stream(run)).await?
                } else {
                    tokio::spawn(ping_pong(run)).await?
                }
            })
        }
        _ => cannot("no such thing in tokio's duplex"),
    }
}

fn main() {
    match run() {
        Ok(o) => println!(
            "{{\"operations\":{},\"each_ns\":{:.3},\"bytes\":{},\"pairs\":{},\"each_cpu_ns\":{:.3}}}",
            o.operations, o.each_ns, o.bytes, o.pairs, o.each_cpu_ns
        ),
        Err(error) => {
            eprintln!("tokio: {error}");
            exit(1);
        }
    }
}
