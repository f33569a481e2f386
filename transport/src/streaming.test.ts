import { afterEach, expect, test } from "vitest";
import { Status, streaming } from "./index.ts";
import { byHand, CHUNK, echo, PLENTY } from "./streaming.fixture.ts";
import { Bed, Conversation, failure, pattern, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

test("a client sends many messages and gets one answer", async () => {
  const server = await bed.serve({
    "/t.T/Sum": streaming((call) => {
      let sum = 0;
      return {
        message: (message) => {
          sum += Number(text(message));
        },
        end: () => {
          call.send(Buffer.from(String(sum)));
          call.end();
        },
      };
    }),
  });
  const talk = new Conversation(bed.client(server.address), "/t.T/Sum");
  for (let number = 1; number <= 100; number++) talk.stream.send(Buffer.from(String(number)));
  talk.stream.end();
  await talk.end;
  expect(talk.messages.map(text)).toEqual(["5050"]);
});

test("a server answers one message with many", async () => {
  const server = await bed.serve({
    "/t.T/Count": streaming((call) => ({
      message(message) {
        for (let number = 0; number < Number(text(message)); number++) call.send(Buffer.from(String(number)));
        call.end();
      },
      end: () => undefined,
    })),
  });
  const talk = new Conversation(bed.client(server.address), "/t.T/Count");
  talk.stream.send(Buffer.from("1000"));
  talk.stream.end();
  await talk.end;
  expect(talk.messages.map(text)).toEqual(Array.from({ length: 1_000 }, (_, number) => String(number)));
});

test("both sides talk in turn", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const talk = new Conversation(bed.client(server.address), "/t.T/Echo");
  for (let turn = 0; turn < 20; turn++) {
    talk.stream.send(Buffer.from(`turn ${turn}`));
    expect(text(await talk.next())).toBe(`turn ${turn}`);
  }
  talk.stream.end();
  await talk.end;
  expect(talk.wrongs).toEqual([]);
});

test("a unary method can be called as a stream, and a streaming one as unary", async () => {
  const server = await bed.serve({ "/t.T/Unary": (request, answer) => answer.respond(request), "/t.T/Stream": echo });
  const client = bed.client(server.address);
  const talk = new Conversation(client, "/t.T/Unary");
  talk.stream.send(Buffer.from("one"));
  talk.stream.end();
  await talk.end;
  expect(talk.messages.map(text)).toEqual(["one"]);
  const answer = await new Promise<Uint8Array>((response, failed) => {
    client.unary("/t.T/Stream", Buffer.from("two"), { response, failed });
  });
  expect(text(answer)).toBe("two");
});

test("empty messages arrive as messages", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const talk = new Conversation(bed.client(server.address), "/t.T/Echo");
  for (let number = 0; number < 3; number++) talk.stream.send(new Uint8Array());
  talk.stream.end();
  await talk.end;
  expect(talk.messages.map((message) => message.length)).toEqual([0, 0, 0]);
});

test("a stream without a message on either side ends with OK", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const talk = new Conversation(bed.client(server.address), "/t.T/Echo");
  talk.stream.end();
  await talk.end;
  expect(talk.messages).toEqual([]);
});

test("what a client says after its last message is not sent", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const client = bed.client(server.address);
  const early = new Conversation(client, "/t.T/Echo");
  for (const talk of [early, new Conversation(client, "/t.T/Echo")]) {
    talk.stream.send(Buffer.from("last"));
    talk.stream.end();
    expect(talk.stream.send(Buffer.from("too late"))).toBe(true);
    talk.stream.end();
    await talk.end;
    expect(talk.messages.map(text)).toEqual(["last"]);
  }
  const open = new Conversation(client, "/t.T/Echo");
  open.stream.send(Buffer.from("a"));
  expect(text(await open.next())).toBe("a");
  open.stream.end();
  open.stream.send(Buffer.from("too late"));
  await open.end;
  expect(open.messages.length).toBe(1);
});

test("the client may end first, and the server still sends", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler });
  const talk = new Conversation(bed.client(server.address), "/t.T/Hand");
  talk.stream.end();
  const call = await hand.opened;
  await hand.ended;
  for (const word of ["still", "here"]) {
    call.send(Buffer.from(word));
    expect(text(await talk.next())).toBe(word);
  }
  call.end();
  await talk.end;
});

test("the server may end before the client has, and what the client then sends is ignored", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler, "/t.T/Echo": echo });
  const client = bed.client(server.address);
  const talk = new Conversation(client, "/t.T/Hand");
  talk.stream.send(Buffer.from("begin"));
  const call = await hand.opened;
  call.send(Buffer.from("enough"));
  call.end();
  await talk.end;
  expect(talk.messages.map(text)).toEqual(["enough"]);
  expect(talk.stream.send(pattern(CHUNK))).toBe(true);
  talk.stream.end();
  talk.stream.cancel();
  const other = new Conversation(client, "/t.T/Echo");
  other.stream.send(Buffer.from("alive"));
  expect(text(await other.next())).toBe("alive");
  expect(talk.wrongs).toEqual([]);
});

test("a server that ends while the client is in the middle of a lot ends the call once", async () => {
  const server = await bed.serve({
    "/t.T/First": streaming((call) => ({
      message: (message) => {
        call.send(message.subarray(0, 1));
        call.end();
      },
      end: () => undefined,
    })),
  });
  const talk = new Conversation(bed.client(server.address), "/t.T/First");
  let sent = 0;
  while (sent < PLENTY && talk.stream.send(pattern(CHUNK))) sent += 1;
  await talk.end;
  expect(talk.messages.length).toBe(1);
  expect(talk.wrongs).toEqual([]);
});

test.for(["open", "message", "end"] as const)("what is thrown in %s is answered INTERNAL, and told", async (where) => {
  const errors: unknown[] = [];
  const boom = (here: string) => {
    if (here === where) throw new Error(`boom in ${here}`);
  };
  const throwing = streaming((call) => {
    boom("open");
    return {
      message: () => boom("message"),
      end: () => {
        boom("end");
        call.end();
      },
    };
  });
  const server = await bed.serve(
    { "/t.T/Throw": throwing, "/t.T/Echo": echo },
    { onError: (error, path) => void errors.push([String(error), path]) },
  );
  const client = bed.client(server.address);
  const talk = new Conversation(client, "/t.T/Throw");
  talk.stream.send(Buffer.from("a"));
  talk.stream.end();
  const error = await failure(talk.end);
  expect([error.code, error.from]).toEqual([Status.INTERNAL, "peer"]);
  expect(error.details).not.toContain("boom");
  expect(errors).toEqual([[`Error: boom in ${where}`, "/t.T/Throw"]]);
  const other = new Conversation(client, "/t.T/Echo");
  other.stream.send(Buffer.from("alive"));
  expect(text(await other.next())).toBe("alive");
});

test("four hundred streams at once each get their own messages", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const client = bed.client(server.address);
  const talks = Array.from({ length: 400 }, () => new Conversation(client, "/t.T/Echo"));
  for (let round = 0; round < 5; round++) for (const [index, talk] of talks.entries()) talk.stream.send(Buffer.from(`${index}:${round}`));
  for (const talk of talks) talk.stream.end();
  await Promise.all(talks.map((talk) => talk.end));
  for (const [index, talk] of talks.entries()) {
    expect(talk.messages.map(text)).toEqual(Array.from({ length: 5 }, (_, round) => `${index}:${round}`));
  }
});
