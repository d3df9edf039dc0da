-- gradus for LuaJIT. The declarations are read from the headers, the functions made from what the library says of its operations.
--   local g = require "gradus"
--   local x = g.tensor({1, 2, 3}):requires_grad()
--   (x * x):sum():backward()
--   print(x:grad())
-- A last argument that is a table with names holds arguments by name: x:sub(y, {alpha = 0.1}). A list is a table without names.
local ffi = require "ffi"
local bit = require "bit"

local function declarations(folder)
  for _, name in ipairs { "base", "context", "tensor", "invoke", "autograd", "hooks", "function", "gradcheck" } do
    local file = assert(io.open(folder .. "/gradus/" .. name .. ".h"))
    local text = file:read "*a"
    file:close()
    text = text:gsub("#ifdef __cplusplus.-#endif", ""):gsub("/%*.-%*/", ""):gsub("%f[^\n%z]%s*#[^\n]*", ""):gsub("GRADUS_API ", "")
    ffi.cdef(text)
  end
end
declarations(os.getenv "GRADUS_INCLUDE" or "/usr/include")
ffi.cdef [[
  struct DLManagedTensorVersioned {
    struct { uint32_t major, minor; } version; void *manager_ctx; void (*deleter)(struct DLManagedTensorVersioned *); uint64_t flags;
    struct {
      void *data; struct { int32_t type, id; } device; int32_t ndim; struct { uint8_t code, bits; uint16_t lanes; } dtype;
      int64_t *shape, *strides; uint64_t byte_offset;
    } dl_tensor;
  };]]
local C = ffi.load(os.getenv "GRADUS_LIBRARY" or "libgradus.so.1")
assert(C.gradus_api_level() >= 1)

local g = { library = C }
g.dtypes = { bool = 1, uint8 = 2, int8 = 3, int16 = 4, int32 = 5, int64 = 6, float16 = 7, bfloat16 = 8, float32 = 9, float64 = 10 }
local dtype_names = {}
for name, number in pairs(g.dtypes) do dtype_names[number] = name end
g.none = setmetatable({}, { __tostring = function() return "none" end })

-- Handles go back inside the garbage collector, where Lua must not be entered: what was lent is forgotten when the context is polled.
local handles = ffi.new("gradus_context *[1]")
local options = ffi.new("gradus_context_options", { struct_size = ffi.sizeof "gradus_context_options", flags = C.GRADUS_CTX_POLLED_DESTROY })
assert(C.gradus_context_create(options, handles) == 0)
local ctx = ffi.gc(handles[0], C.gradus_release)
local tensors, count = ffi.new("gradus_tensor *[1]"), ffi.new("size_t[1]")

-- Errors are tables: status, category, name, message, origin, argument. An error of a callback arrives as it was thrown.
local Error = { __tostring = function(e) return e.name .. ": " .. e.message end }
local pending = {}
local function fail()
  local e = ffi.new("gradus_error", { struct_size = ffi.sizeof "gradus_error" })
  C.gradus_context_error(ctx, e)
  local code = tonumber(e.user_code)
  local thrown = pending[code]
  if thrown ~= nil then
    pending[code] = nil
    error(thrown, 0)
  end
  error(setmetatable({ status = e.status, category = bit.band(e.status, 0xff00), name = ffi.string(C.gradus_status_name(e.status)),
    message = ffi.string(e.message), origin = ffi.string(e.origin), argument = e.argument }, Error), 0)
end
local function check(status) if status ~= 0 then fail() end end
local function own(handle) if handle ~= nil then return ffi.gc(handle, C.gradus_release) end end

-- Writes a Lua value into the gradus_value v; keep[i] holds what v points at. True, and nothing is done, for arguments by name.
local element = { [8] = "int64_t[?]", [9] = "double[?]", [10] = "gradus_tensor *[?]" }
local function put_list(v, x, kind, keep, i)
  kind = element[kind] and kind or (type(x[1]) == "cdata" and 10 or 8)
  local list = ffi.new(element[kind], math.max(1, #x))
  for k = 1, #x do list[k - 1] = x[k] end
  keep[i], v.kind, v.u.ptr, v.length = list, kind, list, #x
end
local function put(v, x, kind, keep, i)
  local t = type(x)
  if t == "cdata" then v.kind, v.u.tensor = 7, x
  elseif t == "nil" then v.kind = 0
  elseif t == "number" then
    if x % 1 == 0 and kind ~= 9 then v.kind, v.u.i64 = 3, x else v.kind, v.u.f64 = 4, x end
  elseif t == "boolean" then v.kind, v.u.i64 = 2, x and 1 or 0
  elseif t == "string" and kind == 6 then v.kind, v.aux = 6, g.dtypes[x] or error("no element type " .. x, 0)
  elseif t == "string" then keep[i], v.kind, v.u.ptr, v.length = x, 5, ffi.cast("const char *", x), #x
  elseif x == g.none then v.kind = 1
  elseif x[1] == nil and next(x) ~= nil then return true
  else put_list(v, x, kind, keep, i) end
end

-- Values and results of one call; a callback that calls operations in the middle of another finds the next ones.
local depth, frames = 1, {}
for i = 1, 32 do frames[i] = { values = ffi.new "gradus_value[40]", results = ffi.new "gradus_value[64]", keep = {} } end

local function owned(results, n)
  if n == 1 then return own(results[0].u.tensor) end
  local list = {}
  for i = 1, n do list[i] = own(results[i - 1].u.tensor) end
  return unpack(list)
end
local function invoke(op, frame, n)
  check(C.gradus_invoke(ctx, op, frame.values, n, frame.results, 64, count))
  return owned(frame.results, tonumber(count[0]))
end
-- A C function that calls back into Lua must not be called from compiled code, and is not compiled any more when it has done so once:
-- operations of Lua are invoked as batches.
local function invoke_batch(calls, n) return C.gradus_invoke_batch(ctx, calls, n, ffi.sizeof "gradus_call", nil) end
jit.off(invoke_batch)
local function invoke_of_lua(op, frame, n)
  local call = ffi.new("gradus_call[1]", { { op = op, argument_count = n, arguments = frame.values, results = frame.results, result_capacity = 64 } })
  check(invoke_batch(call, 1))
  return owned(frame.results, tonumber(call[0].result_count))
end

-- The function of an operation is compiled from a text with its parameters, for the compiler does not like "...".
local function operation(op, info, invoke)
  local kinds, positions, names, n = {}, {}, {}, info.argument_count
  local argument = ffi.new("gradus_argument_info", { struct_size = ffi.sizeof "gradus_argument_info" })
  local body = {}
  for i = 1, n do
    check(C.gradus_op_describe_argument(op, i - 1, argument))
    names[i] = ffi.string(argument.name)
    kinds[i], positions[names[i]] = argument.kind, i
    body[i] = ("if put(values[%d], a%d, %d, keep, %d) then return by_name(frame, %d, a%d) end"):format(i - 1, i, argument.kind, i, i, i)
    names[i] = "a" .. i
  end
  local function by_name(frame, first, named)
    for i = first, n do frame.values[i - 1].kind = 0 end
    for name, x in pairs(named) do
      local i = positions[name] or error(ffi.string(info.name) .. ": no argument " .. name, 0)
      put(frame.values[i - 1], x, kinds[i], frame.keep, i)
    end
    return invoke(op, frame, n)
  end
  names[n + 1] = "named"
  local text = ([[local put, by_name, invoke, op, current = ...
    return function(%s)
      local frame = current()
      local values, keep = frame.values, frame.keep
      %s
      if named then return by_name(frame, %d, named) end
      return invoke(op, frame, %d)
    end]]):format(table.concat(names, ", "), table.concat(body, "\n"), n + 1, n)
  return assert(loadstring(text, ffi.string(info.name)))(put, by_name, invoke, op, function() return frames[depth] end)
end

g.ops, g.op_count = {}, tonumber(C.gradus_op_count())
local handle_of = {}
local function learn(op, invoke)
  local info = ffi.new("gradus_op_info", { struct_size = ffi.sizeof "gradus_op_info" })
  check(C.gradus_op_describe(op, info))
  local name = ffi.string(info.name)
  g.ops[name], handle_of[name] = operation(op, info, invoke), op
  return g.ops[name]
end
for i = 0, g.op_count - 1 do learn(C.gradus_op_at(i), invoke) end

-- calls: {{"add", x, y}, {"mul", g.result(1), y}}: one crossing for all; returns what the last one gives.
function g.result(call) return { call = call - 1 } end
function g.batch(calls)
  local total, done = 0, 0
  for i = 1, #calls do total = total + #calls[i] end
  local list, values, keep = ffi.new("gradus_call[?]", #calls), ffi.new("gradus_value[?]", total), {}
  local result = ffi.new "gradus_value[1]"
  for i = 1, #calls do
    local c, call = list[i - 1], calls[i]
    c.op, c.argument_count, c.arguments = handle_of[call[1]], #call - 1, values + done
    for k = 2, #call do
      local v, x = values[done], call[k]
      if type(x) == "table" and x.call then v.kind, v.u.i64 = 11, x.call else put(v, x, nil, keep, #keep + 1) end
      done = done + 1
    end
  end
  list[#calls - 1].results, list[#calls - 1].result_capacity = result, 1
  check(invoke_batch(list, #calls))
  return own(result[0].u.tensor)
end

-- The library calls back through functions that live forever; user is the number of what was lent: a Lua function, or memory.
local lent, last_lent = {}, 0
local function number(user) return tonumber(ffi.cast("intptr_t", user)) end
local on_forget = ffi.cast("gradus_destroy_fn", function(user) lent[number(user)] = nil end)
function g.poll() check(C.gradus_context_poll(ctx, nil)) end
jit.off(g.poll)
local function lend(x)
  g.poll()
  last_lent = last_lent + 1
  lent[last_lent] = x
  return ffi.cast("void *", ffi.cast("intptr_t", last_lent))
end
local function registered(status, user)                        -- after a failure the library does not know of it
  if status ~= 0 then lent[number(user)] = nil end
  check(status)
end
local function guarded(user, f)
  depth = depth + 1
  local ok, e = pcall(f, lent[number(user)])
  depth = depth - 1
  if ok then return 0 end
  pending[#pending + 1] = e
  local text = tostring(e)
  return C.gradus_context_fail(ctx, C.GRADUS_E_CALLBACK, #pending, text, #text)
end
local function borrow(handle)
  if handle == nil then return nil end
  C.gradus_retain(handle)
  return own(handle)
end
local function give(tensor) C.gradus_retain(tensor); return tensor end

local on_hook = ffi.cast("gradus_hook_fn", function(user, _, grad, replacement)
  return guarded(user, function(f)
    local other = f(borrow(grad))
    if other then replacement[0] = give(other) end
  end)
end)
local function borrow_all(list, n)
  local tensors = {}
  for i = 1, tonumber(n) do tensors[i] = borrow(list[i - 1]) end
  return unpack(tensors, 1, tonumber(n))
end
local function give_all(results, capacity, result_count, ...)
  local n = select("#", ...)
  for i = 1, math.min(n, tonumber(capacity)) do results[i - 1] = give((select(i, ...))) end
  result_count[0] = n
end
local function on_function(key)
  return ffi.cast("gradus_function_fn", function(user, _, call, list, n, results, capacity, result_count)
    return guarded(user, function(f) give_all(results, capacity, result_count, f[key](call, borrow_all(list, n))) end)
  end)
end
local on_forward, on_vjp = on_function "forward", on_function "vjp"

-- {name, forward = function(call, ...) -> results, vjp = function(call, ...) -> gradients} as a Lua function.
function g.func(definition)
  local function apply(...)
    local n, user = select("#", ...), lend(definition)
    local d = ffi.new("gradus_function", { struct_size = ffi.sizeof "gradus_function", name = definition.name, forward = on_forward,
      vjp = on_vjp, user = user, destroy = on_forget })
    local inputs, results = ffi.new("gradus_tensor *[?]", math.max(1, n), ...), ffi.new "gradus_tensor *[8]"
    registered(C.gradus_function_apply(ctx, d, inputs, n, results, 8, count), user)
    local list = {}
    for i = 1, tonumber(count[0]) do list[i] = own(results[i - 1]) end
    return unpack(list)
  end
  jit.off(apply)
  return apply
end
function g.save(call, ...)
  local n = select("#", ...)
  check(C.gradus_function_save_for_backward(ctx, call, ffi.new("gradus_tensor *[?]", n, ...), n))
end
function g.saved(call, i) check(C.gradus_function_saved(ctx, call, i - 1, tensors)); return own(tensors[0]) end

-- Operations: forward gets the arguments of the schema, backward the arguments, results and gradients of the results; it returns a gradient
-- or g.none for each tensor among the arguments. Returns the function, which g.ops and batches know by its name from then on.
local item_type = { [8] = "const int64_t *", [9] = "const double *", [10] = "gradus_tensor *const *" }
local function get(v)
  local kind = v.kind
  if kind == 7 then return borrow(v.u.tensor)
  elseif kind == 2 then return v.u.i64 ~= 0
  elseif kind == 3 then return tonumber(v.u.i64)
  elseif kind == 4 then return v.u.f64
  elseif kind == 5 then return ffi.string(v.u.ptr, v.length)
  elseif kind == 6 then return dtype_names[v.aux]
  elseif item_type[kind] then
    local items, list = ffi.cast(item_type[kind], v.u.ptr), {}
    for i = 1, tonumber(v.length) do list[i] = kind == 10 and borrow(items[i - 1]) or tonumber(items[i - 1]) end
    return list
  end
end
local function on_op(key)
  return ffi.cast("gradus_op_fn", function(user, _, values, n, results, capacity, result_count)
    return guarded(user, function(f)
      local arguments = {}
      for i = 1, tonumber(n) do arguments[i] = get(values[i - 1]) end
      local made = { f[key](unpack(arguments, 1, tonumber(n))) }
      result_count[0] = #made                  -- g.none stands for nil
      for i = 1, math.min(#made, tonumber(capacity)) do
        if made[i] ~= g.none then results[i - 1].kind, results[i - 1].u.tensor = 7, give(made[i]) end
      end
    end)
  end)
end
local on_op_forward, on_op_backward = on_op "forward", on_op "backward"
function g.register_op(name, schema, forward, backward)
  local user, op = lend { forward = forward, backward = backward }, ffi.new "const gradus_op *[1]"
  registered(C.gradus_op_register(ctx, ffi.new("gradus_op_definition", { struct_size = ffi.sizeof "gradus_op_definition", name = name,
    schema = schema, forward = on_op_forward, backward = backward and on_op_backward, user = user }), op), user)
  return learn(op[0], invoke_of_lua)
end

-- Whether backward of f(...) gives what differences give, and a report.
local on_compute = ffi.cast("gradus_gradcheck_fn", function(user, _, list, n, results, capacity, result_count)
  return guarded(user, function(f) give_all(results, capacity, result_count, f(borrow_all(list, n))) end)
end)
function g.gradcheck(f, ...)
  local inputs, report, passed = ffi.new("gradus_tensor *[?]", select("#", ...), ...), ffi.new "char[8192]", ffi.new "int32_t[1]"
  local user = lend(f)
  local status = C.gradus_gradcheck(ctx, on_compute, user, inputs, select("#", ...), nil, passed, report, 8192, nil)
  lent[number(user)] = nil
  check(status)
  return passed[0] == 1, ffi.string(report)
end
jit.off(g.gradcheck)

-- Tensors: of numbers as a flat list, and sizes.
local function sizes_of(count, ...)
  local sizes = select("#", ...) > 0 and { ... } or { count }
  return #sizes, ffi.new("int64_t[?]", #sizes, sizes)
end
function g.tensor(numbers, ...)
  local data, rank, sizes = ffi.new("double[?]", math.max(1, #numbers), numbers), sizes_of(#numbers, ...)
  check(C.gradus_tensor_copy_in(ctx, C.GRADUS_F64, rank, sizes, nil, data, 8 * #numbers, tensors))
  return own(tensors[0])
end
-- On an array of doubles, ffi.new("double[?]", n), which stays as long as a view of it does.
function g.wrap(array, ...)
  local user, bytes, rank, sizes = lend(array), ffi.sizeof(array), sizes_of(ffi.sizeof(array) / 8, ...)
  registered(C.gradus_tensor_wrap(ctx, C.GRADUS_F64, rank, sizes, nil, array, bytes, 0, on_forget, user, tensors), user)
  return own(tensors[0])
end
function g.from_dlpack(managed)
  check(C.gradus_tensor_from_dlpack(ctx, managed, 0, tensors))
  ffi.gc(managed, nil)
  return own(tensors[0])
end
function g.no_grad(f)
  local before = ffi.new "int32_t[1]"
  check(C.gradus_context_set_recording(ctx, 0, before))
  local ok, e = pcall(f)
  check(C.gradus_context_set_recording(ctx, before[0], nil))
  if not ok then error(e, 0) end
end

local methods = setmetatable({}, { __index = g.ops })
function methods.info(t)
  local i = ffi.new("gradus_tensor_info", { struct_size = ffi.sizeof "gradus_tensor_info" })
  check(C.gradus_tensor_describe(t, i))
  return i
end
function methods.numbers(t)
  local n, list = tonumber(t:info().count), {}
  local data = ffi.new("double[?]", math.max(1, n))
  check(C.gradus_tensor_copy_out(ctx, t, C.GRADUS_F64, data, 8 * n))
  for i = 1, n do list[i] = data[i - 1] end
  return list
end
function methods.data(t) return ffi.cast("double *", t:info().data) end             -- the memory itself, of a float64 tensor
-- A DLManagedTensorVersioned on that memory, for from_dlpack or another library; its deleter runs when nobody takes it.
function methods.to_dlpack(t)
  local managed = ffi.new "struct DLManagedTensorVersioned *[1]"
  check(C.gradus_tensor_to_dlpack(ctx, t, 0, managed))
  return ffi.gc(managed[0], function(m) m.deleter(m) end)
end
function methods.item(t)
  local x = ffi.new "double[1]"
  check(C.gradus_tensor_item_f64(ctx, t, x))
  return x[0]
end
function methods.requires_grad(t) check(C.gradus_tensor_set_requires_grad(ctx, t, 1)); return t end
function methods.grad(t) check(C.gradus_tensor_grad(ctx, t, tensors)); return own(tensors[0]) end
function methods.clear_grad(t) check(C.gradus_tensor_set_grad(ctx, t, nil)) end
function methods.backward(t)
  tensors[0] = t
  check(C.gradus_backward(ctx, tensors, 1, nil, nil))
end
jit.off(methods.backward)
-- f(gradient) may return another gradient. Returns the function that removes it.
function methods.hook(t, f)
  local id, user = ffi.new "uint64_t[1]", lend(f)
  registered(C.gradus_tensor_add_hook(ctx, t, on_hook, user, on_forget, id), user)
  return function() check(C.gradus_tensor_remove_hook(ctx, t, id[0])) end
end
ffi.metatype("gradus_tensor", {
  __index = methods, __add = function(a, b) return g.ops.add(a, b) end, __sub = function(a, b) return g.ops.sub(a, b) end,
  __mul = function(a, b) return g.ops.mul(a, b) end, __div = function(a, b) return g.ops.div(a, b) end, __unm = g.ops.neg,
  __tostring = function(t)
    local text = ffi.new "char[4096]"
    check(C.gradus_tensor_print(ctx, t, text, 4096, count))
    return ffi.string(text)
  end })

function g.close()                             -- compiled code keeps what it has seen alive: it is dropped
  jit.flush()
  local ran = ffi.new "uint64_t[1]"
  repeat                                       -- what is forgotten may have held more
    collectgarbage()
    collectgarbage()
    check(C.gradus_context_poll(ctx, ran))
  until ran[0] == 0
  C.gradus_release(ffi.gc(ctx, nil))
end
jit.off(g.close)
function g.live()
  local c = ffi.new("gradus_counts", { struct_size = ffi.sizeof "gradus_counts" })
  C.gradus_live_counts(c)
  return tonumber(c.contexts + c.tensors + c.graph_nodes + c.foreign_blocks + c.callbacks + c.bytes_live)
end

return setmetatable(g, { __index = g.ops })
