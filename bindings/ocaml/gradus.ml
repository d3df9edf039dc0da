(* gradus for OCaml, over ctypes. Operations are known from the library's description of them and called by name:
     let x = requires_grad (tensor [| 1.; 2.; 3. |]) in
     backward (op "sum" [T (op "mul" [T x; T x])]);
     Array.iter print_float (numbers (Option.get (grad x)))
   Arguments by name: op "sub" [T x; T y] ~named:["alpha", F 0.1]. Tensors go back with the garbage collector. *)
open Ctypes
open Gradus_c

type tensor = { handle : unit ptr }

type value =
  | T of tensor | I of int | F of float | B of bool
  | S of string  (* a text, or the name of an element type *)
  | Is of int list | Fs of float list | Ts of tensor list
  | None_
  | Result_of of int  (* in a batch: the first result of an earlier call *)

exception Error of { status : int; name : string; message : string; origin : string; argument : int }

let size = Unsigned.Size_t.of_int
let out = allocate_n p ~count:1
let counted = allocate_n size_t ~count:1

(* What OCaml lends to C by a number: functions, and exceptions on their way through C. *)
let lent : (int, Obj.t) Hashtbl.t = Hashtbl.create 16
let last = ref 0
let lend x = incr last; Hashtbl.replace lent !last (Obj.repr x); !last
let token n = ptr_of_raw_address (Nativeint.of_int n)
let number user = Nativeint.to_int (raw_address_of_ptr user)
let forget = Destroy.of_fun (fun user -> Hashtbl.remove lent (number user))

let ctx =
  if c_create null out <> 0l then failwith "gradus: no context";
  !@out

let check status =
  if status <> 0l then begin
    let e = make error_s in
    setf e e_size (Int32.of_int (sizeof error_s));
    c_error ctx (addr e);
    let code = Int64.to_int (getf e e_code) in
    match Hashtbl.find_opt lent code with
    | Some thrown when status = 0x500l -> Hashtbl.remove lent code; raise (Obj.obj thrown : exn)
    | _ ->
      raise (Error { status = Int32.to_int status; name = c_status_name status; message = getf e e_message; origin = getf e e_origin;
                     argument = Int32.to_int (getf e e_argument) })
  end

let own handle =
  let t = { handle } in
  Gc.finalise (fun t -> c_release t.handle) t;
  t
let option handle = if is_null handle then None else Some (own handle)
let borrow handle = c_retain handle; own handle
let give t = c_retain t.handle; t.handle

(* ---- operations *)
type operation = { op : unit ptr; kinds : int array; positions : (string, int) Hashtbl.t }

let operations : (string, operation) Hashtbl.t = Hashtbl.create 1024
let learn op =
  let info = make op_s and argument = make argument_s in
  setf info o_size (Int32.of_int (sizeof op_s));
  setf argument a_size (Int32.of_int (sizeof argument_s));
  check (c_describe op (addr info));
  let positions = Hashtbl.create 4 in
  let kind a =
    check (c_describe_argument op (Int32.of_int a) (addr argument));
    Hashtbl.replace positions (getf argument a_name) a;
    Int32.to_int (getf argument a_kind) in
  Hashtbl.replace operations (getf info o_name) { op; kinds = Array.init (Int32.to_int (getf info o_arguments)) kind; positions }
let () = for index = 0 to Unsigned.Size_t.to_int (c_op_count ()) - 1 do learn (c_op_at (size index)) done

let find name = try Hashtbl.find operations name with Not_found -> invalid_arg ("gradus: no operation " ^ name)

let dtype name =
  let rec at i = function [] -> invalid_arg ("gradus: no element type " ^ name) | n :: rest -> if n = name then i else at (i + 1) rest in
  at 1 [ "bool"; "uint8"; "int8"; "int16"; "int32"; "int64"; "float16"; "bfloat16"; "float32"; "float64" ]

(* Writes x into v; keep collects what v points at. *)
let encode v x kind keep =
  let set ?(aux = 0) ?(length = 0) kind payload =
    v |-> v_kind <-@ Int32.of_int kind;
    v |-> v_aux <-@ Int32.of_int aux;
    v |-> v_payload <-@ payload;
    v |-> v_length <-@ Int64.of_int length in
  let address q = Int64.of_nativeint (raw_address_of_ptr (to_voidp q)) in
  let list : type a. int -> a typ -> a list -> unit = fun kind t items ->
    let a = CArray.of_list t items in
    keep := Obj.repr a :: !keep;
    set kind (address (CArray.start a)) ~length:(List.length items) in
  match x with
  | T t -> set 7 (address t.handle)
  | I n when kind = 4 -> set 4 (Int64.bits_of_float (Float.of_int n))
  | I n -> set 3 (Int64.of_int n)
  | F f -> set 4 (Int64.bits_of_float f)
  | B b -> set 2 (if b then 1L else 0L)
  | S name when kind = 6 -> set 6 0L ~aux:(dtype name)
  | S text -> list 5 char (List.of_seq (String.to_seq text))
  | Is l -> list 8 int64_t (List.map Int64.of_int l)
  | Fs l -> list 9 double l
  | Ts l -> list 10 p (List.map (fun t -> t.handle) l)
  | None_ -> set 1 0L
  | Result_of call -> set 11 (Int64.of_int call)

(* What a callback gets. *)
let decode v =
  let bits = !@(v |-> v_payload) and length = Int64.to_int !@(v |-> v_length) in
  let list t = CArray.to_list (CArray.from_ptr (from_voidp t (ptr_of_raw_address (Int64.to_nativeint bits))) length) in
  match Int32.to_int !@(v |-> v_kind) with
  | 2 -> B (bits <> 0L)
  | 3 -> I (Int64.to_int bits)
  | 4 -> F (Int64.float_of_bits bits)
  | 5 -> S (String.of_seq (List.to_seq (list char)))
  | 6 -> S (c_dtype_name !@(v |-> v_aux))
  | 7 -> T (borrow (ptr_of_raw_address (Int64.to_nativeint bits)))
  | 8 -> Is (List.map Int64.to_int (list int64_t))
  | 9 -> Fs (list double)
  | 10 -> Ts (List.map borrow (list p))
  | _ -> None_

(* Values and results of one call: a callback's calls find others than the call around them. *)
let frames = Array.init 16 (fun _ -> (allocate_n value_s ~count:40, allocate_n value_s ~count:64))
let depth = ref 0

let handle_of v = ptr_of_raw_address (Int64.to_nativeint (!@(v |-> v_payload)))

(* All results of an operation. *)
let op_all ?(named = []) name arguments =
  let o = find name and values, results = frames.(!depth) and keep = ref [] in
  List.iteri (fun i x -> encode (values +@ i) x o.kinds.(i) keep) arguments;
  let given = List.length arguments in
  let n = if named = [] then given else Array.length o.kinds in
  for i = given to n - 1 do values +@ i |-> v_kind <-@ 0l done;
  List.iter (fun (argument, x) ->
    match Hashtbl.find_opt o.positions argument with
    | Some i -> encode (values +@ i) x o.kinds.(i) keep
    | None -> invalid_arg (name ^ ": no argument " ^ argument)) named;
  check (c_invoke ctx o.op values (size n) results (size 64) counted);
  ignore (Sys.opaque_identity (arguments, named, keep));
  List.init (Unsigned.Size_t.to_int !@counted) (fun i -> own (handle_of (results +@ i)))
let op ?named name arguments = List.hd (op_all ?named name arguments)

module Infix = struct
  let ( + ) x y = op "add" [ T x; T y ] and ( - ) x y = op "sub" [ T x; T y ] and ( * ) x y = op "mul" [ T x; T y ]
end

(* Many calls, each a name and arguments, in one crossing; returns what the last one gives. *)
let batch calls =
  let n = List.length calls and keep = ref [] in
  let list = CArray.make call_s n and total = List.fold_left (fun sum (_, x) -> sum + List.length x) 1 calls in
  let values = allocate_n value_s ~count:total in
  let used = ref 1 in
  List.iteri (fun i (name, arguments) ->
    let o = find name and c = CArray.get list i in
    setf c c_op o.op;
    setf c c_arguments_n (Int64.of_int (List.length arguments));
    setf c c_arguments (values +@ !used);
    List.iteri (fun k x -> encode (values +@ !used) x o.kinds.(k) keep; incr used) arguments) calls;
  let last = CArray.get list (n - 1) in
  setf last c_results values;
  setf last c_capacity 1L;
  check (c_batch ctx (CArray.start list) (size n) (size (sizeof call_s)) null);
  ignore (Sys.opaque_identity (calls, keep));
  own (handle_of values)

(* ---- tensors *)

(* On the memory of a Bigarray, which stays as long as a view of it does. *)
let wrap (x : (float, Bigarray.float64_elt, Bigarray.c_layout) Bigarray.Genarray.t) =
  let shape = CArray.of_list int64_t (List.map Int64.of_int (Array.to_list (Bigarray.Genarray.dims x))) in
  let user = lend x in
  let status = c_wrap ctx 10l (Int32.of_int (CArray.length shape)) (CArray.start shape) null (bigarray_start genarray x)
      (size (Bigarray.Genarray.size_in_bytes x)) 0l forget (token user) out in
  if status <> 0l then Hashtbl.remove lent user;
  check status;
  own !@out
let tensor ?shape numbers =
  let flat = Bigarray.genarray_of_array1 (Bigarray.Array1.of_array Bigarray.float64 Bigarray.c_layout numbers) in
  wrap (match shape with Some s -> Bigarray.reshape flat s | None -> flat)
let describe t =
  let info = make info_s in
  setf info i_size (Int32.of_int (sizeof info_s));
  check (c_info t.handle (addr info));
  info
(* The memory itself, of a float64 tensor without gaps: the Bigarray keeps the tensor, parts of the Bigarray do not. *)
let data t =
  let info = describe t in
  if getf info i_dtype <> 10l || Int32.logand (getf info i_flags) 0x8l = 0l then invalid_arg "gradus: no float64 tensor without gaps";
  let shape = CArray.to_list (CArray.from_ptr (getf info i_shape) (Int32.to_int (getf info i_rank))) in
  let array = bigarray_of_ptr genarray (Array.of_list (List.map Int64.to_int shape)) Bigarray.float64 (getf info i_data) in
  Gc.finalise (fun _ -> ignore (Sys.opaque_identity t)) array;
  array
(* A DLManagedTensorVersioned, for from_dlpack or another library, which calls its deleter. *)
let to_dlpack t = check (c_to_dlpack ctx t.handle 0l out); !@out
let from_dlpack managed = check (c_from_dlpack ctx managed 0l out); own !@out
let numbers t =
  let info = describe t in
  let a = CArray.make double (Int64.to_int (getf info i_count)) in
  check (c_copy_out ctx t.handle 10l (CArray.start a) (size (8 * CArray.length a)));
  Array.of_list (CArray.to_list a)
let to_string t =
  let text = allocate_n char ~count:4096 in
  check (c_print ctx t.handle text (size 4096) counted);
  string_from_ptr text ~length:(min 4095 (Unsigned.Size_t.to_int !@counted))
let requires_grad t = check (c_requires_grad ctx t.handle 1l); t
let grad t = check (c_grad ctx t.handle out); option !@out
let clear_grad t = check (c_set_grad ctx t.handle null)
let backward t =
  out <-@ t.handle;
  check (c_backward ctx out (size 1) null null);
  ignore (Sys.opaque_identity t)
let no_grad f =
  let before = allocate int32_t 0l in
  check (c_recording ctx 0l before);
  Fun.protect f ~finally:(fun () -> check (c_recording ctx !@before (from_voidp int32_t null)))

(* ---- what C calls; exceptions travel through C by a number *)
let guarded f =
  incr depth;
  let status =
    match f () with
    | () -> 0l
    | exception e ->
      let text = Printexc.to_string e in
      c_fail ctx 0x500l (Int64.of_int (lend e)) text (size (String.length text)) in
  decr depth;
  status
let on_hook = Hook.of_fun (fun user _ g replacement ->
  guarded (fun () ->
    let f : tensor -> tensor option = Obj.obj (Hashtbl.find lent (number user)) in
    Option.iter (fun other -> replacement <-@ give other) (f (borrow g))))

(* f gets the gradient and may return another; the number is for remove_hook. *)
let hook t f =
  let user = lend f and id = allocate int64_t 0L in
  let status = c_add_hook ctx t.handle on_hook (token user) forget id in
  if status <> 0l then Hashtbl.remove lent user;
  check status;
  !@id
let remove_hook t id = check (c_remove_hook ctx t.handle id)

(* A function with a derivative of its own: both get the call, for save and saved. *)
type rule = { name : string; forward : unit ptr -> tensor list -> tensor list; vjp : unit ptr -> tensor list -> tensor list }
let save call tensors =
  let a = CArray.of_list p (List.map (fun t -> t.handle) tensors) in
  check (c_save ctx call (CArray.start a) (size (CArray.length a)))
let saved call index = check (c_saved ctx call (size index) out); own !@out
let borrow_all list n = List.init (Unsigned.Size_t.to_int n) (fun i -> borrow !@(list +@ i))
let give_all given results capacity count =
  List.iteri (fun i t -> if i < Unsigned.Size_t.to_int capacity then results +@ i <-@ give t) given;
  count <-@ size (List.length given)
let on_rule part = Rule.of_fun (fun user _ call inputs n results capacity count ->
  guarded (fun () -> give_all (part (Obj.obj (Hashtbl.find lent (number user)) : rule) call (borrow_all inputs n)) results capacity count))
let on_forward = on_rule (fun rule -> rule.forward)
let on_vjp = on_rule (fun rule -> rule.vjp)
let apply rule inputs =
  let user = lend rule and name = CArray.of_string rule.name and definition = make function_s in
  let handles = CArray.of_list p (List.map (fun t -> t.handle) inputs) and results = allocate_n p ~count:8 in
  setf definition f_size (Int32.of_int (sizeof function_s));
  setf definition f_name (CArray.start name);
  setf definition f_forward on_forward;
  setf definition f_vjp on_vjp;
  setf definition f_user (token user);
  setf definition f_destroy forget;
  let status = c_apply ctx (addr definition) (CArray.start handles) (size (CArray.length handles)) results (size 8) counted in
  if status <> 0l then Hashtbl.remove lent user;
  check status;
  ignore (Sys.opaque_identity (inputs, name));
  List.init (Unsigned.Size_t.to_int !@counted) (fun i -> own !@(results +@ i))

(* An operation, for good: forward gets the arguments of the schema, backward arguments, results and gradients of the results, and gives a
   gradient or None for each tensor among the arguments. op and batches know it by its name from then on. *)
type operation_rule = { compute : value list -> tensor list; backward : value list -> tensor option list }
let on_op part = Op.of_fun (fun user _ values n results capacity count ->
  guarded (fun () ->
    let arguments = List.init (Unsigned.Size_t.to_int n) (fun i -> decode (values +@ i)) in
    let given = part (Obj.obj (Hashtbl.find lent (number user)) : operation_rule) arguments in
    let put i t = encode (results +@ i) (T t) 7 (ref []); c_retain t.handle in
    List.iteri (fun i t -> if i < Unsigned.Size_t.to_int capacity then Option.iter (put i) t) given;
    count <-@ size (List.length given)))
let on_op_forward = on_op (fun rule values -> List.map Option.some (rule.compute values))
let on_op_backward = on_op (fun rule values -> rule.backward values)
let register_op name schema ~forward ~backward =
  let user = lend { compute = forward; backward } and definition = make definition_s in
  let name = CArray.of_string name and schema = CArray.of_string schema in
  setf definition d_size (Int32.of_int (sizeof definition_s));
  setf definition d_name (CArray.start name);
  setf definition d_schema (CArray.start schema);
  setf definition d_forward on_op_forward;
  setf definition d_backward on_op_backward;
  setf definition d_user (token user);
  let status = c_register ctx (addr definition) out in
  if status <> 0l then Hashtbl.remove lent user;
  check status;
  ignore (Sys.opaque_identity (name, schema));
  learn !@out

(* Whether backward of f gives what differences give, and a report. *)
let on_compute = Compute.of_fun (fun user _ inputs n results capacity count ->
  guarded (fun () ->
    let f : tensor list -> tensor list = Obj.obj (Hashtbl.find lent (number user)) in
    give_all (f (borrow_all inputs n)) results capacity count))
let gradcheck f inputs =
  let user = lend f and handles = CArray.of_list p (List.map (fun t -> t.handle) inputs) in
  let passed = allocate int32_t 0l and report = allocate_n char ~count:8192 in
  let status = c_gradcheck ctx on_compute (token user) (CArray.start handles) (size (CArray.length handles)) null passed report (size 8192) counted in
  Hashtbl.remove lent user;
  check status;
  ignore (Sys.opaque_identity inputs);
  (!@passed = 1l, string_from_ptr report ~length:(min 8191 (Unsigned.Size_t.to_int !@counted)))

let close () = Gc.full_major (); Gc.full_major (); c_release ctx

(* What lives in the process: contexts, tensors, nodes, blocks of the host, callbacks, bytes. *)
let live () =
  let counts = allocate_n int64_t ~count:10 in
  counts <-@ 80L;
  c_counts counts;
  List.init 6 (fun k -> Int64.to_int !@(counts +@ (k + 1)))
