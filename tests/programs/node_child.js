// Talks to three kinds of children over the socketpairs that node makes for their standard streams:
// cat gets a large text back, sort gives it ordered, and a node child answers messages.
'use strict';
const { fork, spawn } = require('child_process');
const { createHash } = require('crypto');

const LINES = 4000;
const MESSAGES = 200;
const LONG_MESSAGE = 'x'.repeat(5000);

function digest(text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function lines() {
  const numbers = Array.from({ length: LINES }, (_, i) => (i * 7919) % LINES);
  return numbers.map((n) => String(n).padStart(24, '0')).join('\n') + '\n';
}

function filter(command, args, input) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const parts = [];
    child.on('error', reject);
    child.stdout.on('data', (part) => parts.push(part));
    child.on('close', (status) => resolve({ status, output: Buffer.concat(parts).toString() }));
    child.stdin.end(input);
  });
}

function converse() {
  return new Promise((resolve, reject) => {
    const child = fork(__filename, ['answer'], { stdio: ['inherit', 'pipe', 'inherit', 'ipc'] });
    let answers = 0;
    let said = '';
    child.on('error', reject);
    child.stdout.on('data', (part) => { said += part; });
    child.on('message', (message) => {
      if (message.length !== LONG_MESSAGE.length) reject(new Error('a message changed on its way'));
      answers += 1;
      if (answers < MESSAGES) child.send(LONG_MESSAGE);
      else child.disconnect();
    });
    const exited = new Promise((done) => child.on('exit', done));
    const silent = new Promise((done) => child.stdout.on('end', done));
    Promise.all([exited, silent]).then(([status]) => resolve({ status, answers, said: said.trim() }));
    child.send(LONG_MESSAGE);
  });
}

function answer() {
  let heard = 0;
  process.on('message', (message) => {
    heard += 1;
    process.send(message);
  });
  process.on('disconnect', () => console.log(`heard ${heard}`));
}

async function main() {
  const text = lines();
  const copied = await filter('cat', [], text);
  console.log('cat', copied.status, digest(copied.output), copied.output === text);
  const sorted = await filter('sort', [], text);
  console.log('sort', sorted.status, digest(sorted.output), sorted.output.length);
  const spawned = await filter(process.execPath, ['-e', 'process.stdin.pipe(process.stdout)'], text);
  console.log('node', spawned.status, digest(spawned.output), spawned.output === text);
  const talked = await converse();
  console.log('fork', talked.status, talked.answers, talked.said);
}

if (process.argv[2] === 'answer') answer();
else main();
