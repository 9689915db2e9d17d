// A child answers messages over the socketpair that node makes for its channel; prints the time of
// one exchange as JSON.
'use strict';
const { fork } = require('child_process');

const MESSAGES = 3000;
const FIRST = 200;                  // before the clock starts: both sides have to be up
const TEXT = 'x'.repeat(1000);

function converse() {
  const child = fork(__filename, ['answer']);
  let answers = 0;
  let begin;
  child.on('error', (error) => { throw error; });
  child.on('message', (message) => {
    if (message !== TEXT + answers) throw new Error('a message changed on its way');
    answers += 1;
    if (answers === FIRST) begin = process.hrtime.bigint();
    if (answers < FIRST + MESSAGES) {
      child.send(TEXT + answers);
      return;
    }
    const ns = Number(process.hrtime.bigint() - begin);
    console.log(JSON.stringify({ operations: MESSAGES, each_ns: ns / MESSAGES }));
    child.disconnect();
  });
  child.send(TEXT + answers);
}

if (process.argv[2] === 'answer') process.on('message', (message) => process.send(message));
else converse();
