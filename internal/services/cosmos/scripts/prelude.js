// What server-side scripts find in their global scope. native(op, ...texts) is the only way out; it answers JSON text.
(function (native, job) {
	"use strict";
	const parse = JSON.parse, text = JSON.stringify, NativeError = Error;
	const construct = Reflect.construct, assign = Object.assign, isArray = Array.isArray;

	// Error(number, message) is an extension of the service's engine.
	function NumberedError(first, second) {
		const numbered = arguments.length > 1 && typeof first === "number";
		const args = numbered ? [second] : first === undefined ? [] : [first];
		const e = construct(NativeError, args, new.target || NumberedError);
		if (numbered) e.number = first;
		return e;
	}
	Object.defineProperty(NumberedError, "name", { value: "Error" });
	NumberedError.prototype = NativeError.prototype;
	Object.defineProperty(NativeError.prototype, "constructor", { value: NumberedError, writable: true, configurable: true });
	globalThis.Error = NumberedError;

	function describe(e) {
		let number = 0, stack = "", message;
		try { message = String(e); } catch (_) { message = "an exception without a text"; }
		if (e !== null && typeof e === "object") {
			try { number = Number(e.number) || 0; stack = String(e.stack || ""); } catch (_) { number = 0; }
		}
		return text({ number: number, message: message, stack: stack });
	}

	if (!job) { // user-defined functions
		globalThis.console = { log: function () {} };
		return {
			describe: describe,
			// An empty text stands for undefined.
			call: function (f, ...args) {
				const out = text(f(...args.map(function (a) { return a === "" ? undefined : parse(a); })));
				return out === undefined ? "" : out;
			},
		};
	}

	const ErrorCodes = Object.freeze({
		BadRequest: 400, Forbidden: 403, NotFound: 404, Conflict: 409, PreconditionFailed: 412, RequestEntityTooLarge: 413, RetryWith: 449, InternalServerError: 500,
	});
	let queue = [], next = 0, aborted = false, reason, log = "";

	function fail(number, message) { throw new NumberedError(number, message); }

	function made(problem) {
		const e = new NumberedError(problem.number, text({ Errors: [problem.message] }));
		e.body = problem.message;
		return e;
	}

	function later(f) { queue.push(f); }

	// submit hands one operation over. What came of it is told to the callback after the running function has returned.
	function submit(args, callback, deliver) {
		const reply = parse(native(...args));
		if (reply.refused) throw made(reply.refused);
		if (!reply.accepted) return false;
		later(function () {
			if (reply.error) {
				const e = made(reply.error);
				if (!callback) throw e;
				callback(e, undefined, reply.options || {});
			} else if (callback) {
				deliver(callback, reply);
			}
		});
		return true;
	}

	function withBody(callback, reply) { callback(undefined, reply.body, reply.options); }

	function tail(name, least, args) {
		if (args.length < least) fail(400, 'The function "' + name + '" requires at least ' + least + " argument(s) but was called with " + args.length + " argument(s).");
		let options = args[least], callback = args[least + 1];
		if (typeof options === "function" && callback === undefined) { callback = options; options = undefined; }
		if (options === undefined || options === null) options = {};
		if (typeof options !== "object") fail(400, 'The "options" parameter must be of type "object". Actual type is: "' + typeof options + '".');
		if (callback === null) callback = undefined;
		if (callback !== undefined && typeof callback !== "function") fail(400, 'The "callback" parameter must be of type "function". Actual type is: "' + typeof callback + '".');
		return { options: options, callback: callback };
	}

	function guid() {
		let out = "";
		for (let i = 0; i < 32; i++) {
			if (i === 8 || i === 12 || i === 16 || i === 20) out += "-";
			out += Math.floor(Math.random() * 16).toString(16);
		}
		return out;
	}

	function documentText(body, options) {
		if (body === null || typeof body !== "object" && typeof body !== "string") fail(400, "The document body must be an object or a string representing a JSON-serialized object.");
		if (options.disableAutomaticIdGeneration === true) return typeof body === "string" ? body : text(body);
		let doc = typeof body === "string" ? parse(body) : body;
		if (doc === null || typeof doc !== "object" || isArray(doc) || doc.id) return typeof body === "string" ? body : text(body);
		doc = assign({}, doc);
		doc.id = guid();
		return text(doc);
	}

	const str = function (v) { return v === undefined || v === null ? "" : String(v); };
	const page = function (o) { return String(o.pageSize === undefined || o.pageSize === null || o.pageSize === 0 ? 100 : o.pageSize); };

	const collection = {
		getSelfLink: function getSelfLink() { return job.self; },
		getAltLink: function getAltLink() { return job.alt; },
		readDocument: function readDocument(link) {
			const t = tail("readDocument", 1, arguments);
			return submit(["read", str(link), str(t.options.ifNoneMatch)], t.callback, withBody);
		},
		readDocuments: function readDocuments(link) {
			const t = tail("readDocuments", 1, arguments);
			return submit(["list", str(link), page(t.options), str(t.options.continuation)], t.callback, withBody);
		},
		queryDocuments: function queryDocuments(link, query) {
			const t = tail("queryDocuments", 2, arguments);
			if (typeof query !== "string" && (typeof query !== "object" || query === null)) fail(400, 'The "filterQuery" parameter must be of type "string" or "object". Actual type is: "' + typeof query + '".');
			return submit(["query", str(link), text(typeof query === "string" ? { query: query } : query), page(t.options), str(t.options.continuation)], t.callback, withBody);
		},
		createDocument: function createDocument(link, body) {
			const t = tail("createDocument", 2, arguments);
			return submit(["create", str(link), documentText(body, t.options), "", str(t.options.indexAction)], t.callback, withBody);
		},
		upsertDocument: function upsertDocument(link, body) {
			const t = tail("upsertDocument", 2, arguments);
			return submit(["upsert", str(link), documentText(body, t.options), str(t.options.etag), str(t.options.indexAction)], t.callback, withBody);
		},
		replaceDocument: function replaceDocument(link, body) {
			const t = tail("replaceDocument", 2, arguments);
			return submit(["replace", str(link), documentText(body, { disableAutomaticIdGeneration: true }), str(t.options.etag), str(t.options.indexAction)], t.callback, withBody);
		},
		deleteDocument: function deleteDocument(link) {
			const t = tail("deleteDocument", 1, arguments);
			return submit(["delete", str(link), str(t.options.etag)], t.callback, function (callback, reply) { callback(undefined, reply.options); });
		},
	};
	for (const name of ["createAttachment", "upsertAttachment", "readAttachment", "readAttachments", "queryAttachments", "replaceAttachment", "deleteAttachment"]) {
		collection[name] = function () { fail(400, "Attachments are not supported: " + name + "."); };
	}

	// The query functions: filter, map, pluck, flatten, unwind, sortBy, sortByDescending, chained or alone.
	function rank(v) {
		return v === undefined ? 0 : v === null ? 1 : typeof v === "boolean" ? 2 : typeof v === "number" ? 3 : typeof v === "string" ? 4 : isArray(v) ? 5 : 6;
	}
	function compare(a, b) { return rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0); }
	function flatten(rows, shallow, depth) {
		const out = [];
		for (const row of rows) {
			if (!isArray(row)) out.push(row);
			else for (const v of shallow || depth > 500 ? row : flatten(row, false, depth + 1)) out.push(v);
		}
		return out;
	}
	function needFunction(f) { if (typeof f !== "function") fail(400, "The predicate/transform function must be provided."); }
	function sorter(f, sign) {
		needFunction(f);
		return { all: true, run: function (rows) {
			return rows.map(function (row) { return { key: f(row), row: row }; }).sort(function (a, b) { return sign * compare(a.key, b.key); }).map(function (e) { return e.row; });
		} };
	}
	const steps = {
		filter: { takes: 1, make: function (f) { needFunction(f); return { run: function (rows) { return rows.filter(function (r) { return f(r); }); } }; } },
		map: { takes: 1, make: function (f) { needFunction(f); return { run: function (rows) { return rows.map(function (r) { return f(r); }); } }; } },
		pluck: { takes: 1, make: function (name) {
			if (typeof name !== "string" || name === "") fail(400, "The property name must be a string and cannot be empty.");
			return { run: function (rows) { return rows.map(function (r) { return r === null || r === undefined ? undefined : r[name]; }); } };
		} },
		flatten: { takes: 1, optional: "boolean", make: function (shallow) { return { run: function (rows) { return flatten(rows, shallow === true, 0); } }; } },
		unwind: { takes: 2, make: function (inner, result) {
			if (typeof inner !== "function") fail(400, 'When using "unwind", "collectionSelector" must be a function.');
			return { run: function (rows) {
				const out = [];
				for (const row of rows) {
					const list = inner(row);
					if (isArray(list)) for (const v of list) out.push(typeof result === "function" && result.length > 1 ? result(row, v) : v);
				}
				return out;
			} };
		} },
		sortBy: { takes: 1, make: function (f) { return sorter(f, 1); } },
		sortByDescending: { takes: 1, make: function (f) { return sorter(f, -1); } },
	};

	function toBody(err, rows) {
		if (err) throw err;
		if (!response) fail(400, "The callback function must be provided where there is no response, such as in a pre-trigger.");
		response.appendBody(text(rows));
	}

	function execute(todo, options, callback) {
		const t = tail("value", 0, [options, callback]);
		const done = t.callback || toBody;
		const all = todo.some(function (s) { return s.all; });
		const limit = Number(page(t.options)) > 0 ? Number(page(t.options)) : 1000;
		const read = function (n, from) { return parse(native("list", job.self, String(n), from)); };
		let reply = read(all ? 1000 : limit, str(t.options.continuation));
		if (reply.refused) throw made(reply.refused);
		if (!reply.accepted) return { isAccepted: false };
		later(function () {
			let out = [], from, rows = [];
			try {
				for (;;) {
					if (reply.error) throw made(reply.error);
					from = reply.options.continuation;
					if (all) {
						for (const row of reply.body) rows.push(row);
					} else {
						for (const row of todo.reduce(function (rows, s) { return s.run(rows); }, reply.body)) out.push(row);
					}
					if (!from || !all && out.length >= limit) break;
					const more = read(all ? 1000 : limit - out.length, from);
					if (!more.accepted) {
						if (all) throw new NumberedError(413, "There are too many documents to sort in a script.");
						break;
					}
					reply = more;
				}
				if (all) out = todo.reduce(function (rows, s) { return s.run(rows); }, rows);
			} catch (e) {
				done(e, undefined, {});
				return;
			}
			done(undefined, out, from ? { continuation: from } : {});
		});
		return { isAccepted: true };
	}

	function chainable(object, chained, before) {
		for (const name of Object.keys(steps)) {
			object[name] = function () {
				const args = Array.prototype.slice.call(arguments), spec = steps[name];
				if (args[0] === collection) args.shift();
				const own = [];
				while (own.length < spec.takes && args.length && (spec.optional ? typeof args[0] === spec.optional || args[0] === undefined : own.length === 0 || typeof args[0] === "function" && args[0].length > 1)) own.push(args.shift());
				const todo = before.concat([spec.make(own[0], own[1])]);
				if (!chained) return execute(todo, args[0], args[1]);
				if (args.some(function (a) { return a !== undefined; })) fail(400, 'When using "chain", options and callback can only be provided on the "value" function.');
				const link = { isAccepted: true };
				chainable(link, true, todo);
				link.value = function (options, callback) { return execute(todo, options, callback); };
				return link;
			};
		}
		return object;
	}
	chainable(collection, false, []);
	collection.chain = function chain() {
		const link = { isAccepted: true };
		chainable(link, true, []);
		link.value = function (options, callback) { return execute([], options, callback); };
		return link;
	};
	collection.value = function value(options, callback) { return execute([], options, callback); };

	// Request and response: named values, some of which can be changed.
	function message(slots) {
		const writable = function (name) {
			const s = slots[name];
			if (!s) fail(400, "Cannot set new values: " + name);
			if (!s.writable) fail(403, "Not a writable property: " + name);
			return s;
		};
		const set = function (name, v) { if (name !== undefined) writable(name).value = v; };
		const append = function (name, v) {
			if (name === undefined) return;
			const s = writable(name);
			s.value = s.value === undefined || s.value === null ? v : s.value + v;
		};
		const out = {
			getValue: function (name) { return slots[name] && slots[name].value; },
			setValue: set, appendValue: append,
		};
		for (const name of Object.keys(slots)) {
			out["get" + name] = function () { return slots[name].value; };
			if (slots[name].writable) {
				out["set" + name] = function (v) { set(name, v); };
				out["append" + name] = function (v) { append(name, v); };
			}
		}
		return out;
	}
	const usage = { MaxResourceQuota: { value: job.quota }, ResourceQuotaCurrentUsage: { value: job.usage } };
	const requestSlots = assign(Object.create(null), { Body: { value: job.request === undefined ? "" : job.request, writable: job.kind === "pre" }, OperationType: { value: job.operation } });
	const responseSlots = assign(Object.create(null), { Body: { value: job.response === undefined ? "" : job.response, writable: true }, OperationType: { value: job.operation } }, usage);
	const request = message(requestSlots);
	const response = job.kind === "pre" ? undefined : message(responseSlots);

	const shown = job.kind === "post" ? text(responseSlots.Body.value) : undefined;

	const context = {
		getCollection: function getCollection() { return collection; },
		getRequest: function getRequest() { return request; },
		abort: function abort(err) { if (!aborted) { aborted = true; reason = err; } throw err; },
	};
	if (response) context.getResponse = function getResponse() { return response; };
	globalThis.getContext = function getContext() { return context; };
	globalThis.ErrorCodes = ErrorCodes;
	globalThis.__ = collection;
	collection.request = request;
	if (response) collection.response = response;

	globalThis.console = { log: function (format) {
		if (arguments.length < 1) fail(400, 'The function "log" requires at least 1 argument(s) but was called with 0 argument(s).');
		if (!job.logging) return;
		let line = str(format);
		if (arguments.length > 1) {
			if (typeof format !== "string") fail(400, "First argument to console.log should be a string containing zero or more substitution strings.");
			const args = arguments;
			let i = 1;
			line = format.replace(/%(%|s)/g, function (_, what) { return what === "%" ? "%" : String(args[i++]); });
		}
		if (log.length + line.length > 65536) fail(413, "The script's log would be too large. Log less.");
		log += line;
	} };

	return {
		describe: describe,
		start: function (f) { f(...(job.args || [])); },
		// step tells whether a callback ran.
		step: function () {
			if (aborted) throw reason;
			if (next >= queue.length) return false;
			const f = queue[next];
			queue[next++] = undefined;
			if (next > 1024) { queue = queue.slice(next); next = 0; }
			f();
			return true;
		},
		// result is the body as JSON; of a post-trigger that left it as it was, nothing.
		result: function () {
			const v = job.kind === "pre" ? requestSlots.Body.value : responseSlots.Body.value;
			const out = text(v);
			if (job.kind === "post" && out === shown) return "";
			return out === undefined ? '""' : out;
		},
		log: function () { return log; },
	};
})
