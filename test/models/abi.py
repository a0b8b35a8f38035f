# SPDX-License-Identifier: Apache-2.0
"""The public API for Python's ctypes, written down from the header alone."""

import ctypes as c

u32, i32, u64, i64 = c.c_uint32, c.c_int32, c.c_uint64, c.c_int64


class Struct(c.Structure):
    def __init__(self, **values):
        super().__init__(**values)
        self.struct_size = c.sizeof(self)


def struct(name, *fields):
    return type(name, (Struct,), {"_fields_": [("struct_size", u32), *fields]})


Error = struct(
    "Error", ("status", i32), ("system_code", i32), ("subgraph", i32), ("op", i32), ("tensor", i32),
    ("offset", u64), ("message", c.c_char * 256),
)
ALLOC = c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_size_t)
FREE = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_size_t)
Allocator = struct("Allocator", ("reserved", u32), ("opaque", c.c_void_p), ("alloc", ALLOC), ("free", FREE))
TASK = c.CFUNCTYPE(None, c.c_void_p, u32, u32)
RUN = c.CFUNCTYPE(None, c.c_void_p, TASK, c.c_void_p, u32)
Runner = struct("Runner", ("workers", u32), ("opaque", c.c_void_p), ("run", RUN))
PROGRESS = c.CFUNCTYPE(i32, c.c_void_p, u64, u64)
WRITE = c.CFUNCTYPE(i32, c.c_void_p, c.c_void_p, c.c_size_t)
READ = c.CFUNCTYPE(i32, c.c_void_p, u64, c.c_void_p, c.c_size_t)
Source = struct("Source", ("reserved", u32), ("opaque", c.c_void_p), ("size", u64), ("read", READ))
Sink = struct("Sink", ("reserved", u32), ("opaque", c.c_void_p), ("write", WRITE))
LoadOptions = struct(
    "LoadOptions", ("cpu_disable", u32), ("allocator", c.POINTER(Allocator)), ("max_memory", u64), ("max_output", u64)
)
ModelInfo = struct(
    "ModelInfo", ("schema_version", u32), ("file_size", u64), ("subgraphs", u32), ("buffers", u32),
    ("operator_codes", u32), ("metadata", u32), ("signatures", u32), ("format", u32), ("trailing_bytes", u64),
    ("description", c.c_char_p), ("members", u32), ("reserved", u32),
)
TensorInfo = struct(
    "TensorInfo", ("type", i32), ("name", c.c_char_p), ("rank", u32), ("signature_rank", u32),
    ("shape", c.POINTER(i32)), ("shape_signature", c.POINTER(i32)), ("buffer", u32), ("is_variable", u32),
    ("is_sparse", u32), ("scales", u32), ("bytes", u64), ("channel_dim", i32), ("block_size", u32),
    ("scale", c.POINTER(c.c_float)), ("zero_point", c.POINTER(i64)),
)
RecipeInfo = struct("RecipeInfo", ("is_default", u32), ("name", c.c_char_p), ("summary", c.c_char_p))
MemberInfo = struct(
    "MemberInfo", ("kind", u32), ("is_deflated", u32), ("reserved", u32), ("size", u64), ("stored_size", u64),
    ("name", c.c_char_p), ("path", c.c_char_p),
)


class MemberRecipe(c.Structure):
    _fields_ = [("pattern", c.c_char_p), ("recipe", c.c_void_p)]


QuantizeOptions = struct(
    "QuantizeOptions", ("flags", u32), ("member_recipes", c.POINTER(MemberRecipe)), ("n_member_recipes", u32),
    ("effort", u32), ("target", u32), ("n_stats", u32), ("stats", c.POINTER(c.c_void_p)), ("target_size", u64),
    ("min_snr_db", c.c_double), ("progress", PROGRESS), ("progress_opaque", c.c_void_p), ("runner", c.POINTER(Runner)),
)
Entry = struct(
    "Entry", ("verdict", u32), ("reason", u32), ("subgraph", u32), ("tensor", u32), ("op", i32), ("op_input", i32),
    ("builtin_code", i32), ("name", c.c_char_p), ("op_name", c.c_char_p), ("shape", c.POINTER(i32)), ("rank", u32),
    ("from_type", i32), ("to_type", i32), ("from_sparse", u32), ("to_sparse", u32), ("scales", u32),
    ("elements", u64), ("bytes_before", u64), ("bytes_after", u64), ("snr_db", c.c_double),
    ("output_snr_db", c.c_double), ("runtime_bytes", u64), ("is_dynamic", u32), ("reserved", u32),
)
Totals = struct(
    "Totals", ("changed", u32), ("constants", u32), ("quantized", u32), ("float16", u32), ("folded", u32),
    ("constant_bytes_before", u64), ("constant_bytes_after", u64), ("file_bytes_before", u64),
    ("file_bytes_after", u64), ("mean_snr_db", c.c_double), ("output_snr_db", c.c_double),
    ("plain_output_snr_db", c.c_double), ("runtime_bytes_before", u64), ("runtime_bytes_after", u64), ("layers", u32),
    ("known_layers", u32), ("refusal", c.c_char_p), ("goal", u32), ("reserved", u32),
)
SaveOptions = struct(
    "SaveOptions", ("flags", u32), ("runner", c.POINTER(Runner)), ("progress", PROGRESS), ("progress_opaque", c.c_void_p)
)
CheckOptions = struct("CheckOptions", ("target", u32), ("runtime", c.c_char_p), ("flags", u32), ("n_stats", u32),
    ("stats", c.POINTER(c.c_void_p)))
Finding = struct(
    "Finding", ("severity", u32), ("rule", c.c_char_p), ("subgraph", i32), ("op", i32), ("op_input", i32), ("tensor", i32),
    ("builtin_code", i32), ("op_name", c.c_char_p), ("tensor_name", c.c_char_p), ("message", c.c_char_p),
    ("cure", c.c_char_p), ("path", c.c_char_p),
)
RuleInfo = struct("RuleInfo", ("targets", u32), ("name", c.c_char_p), ("summary", c.c_char_p))
RewriteInfo = struct("RewriteInfo", ("is_default", u32), ("name", c.c_char_p), ("summary", c.c_char_p))
RewriteOptions = struct(
    "RewriteOptions", ("target", u32), ("names", c.POINTER(c.c_char_p)), ("n_names", u32), ("reserved", u32)
)
EditInfo = struct(
    "EditInfo", ("subgraph", u32), ("op", i32), ("tensor", i32), ("rewrite", c.c_char_p), ("op_name", c.c_char_p),
    ("name", c.c_char_p),
)

Array = type(
    "Array", (c.Structure,),
    {"_fields_": [("data", c.c_void_p), ("bytes", u64), ("shape", c.POINTER(i32)), ("rank", u32), ("type", i32)]},
)
StatsOptions = struct("StatsOptions", ("subgraph", u32), ("runner", c.POINTER(Runner)))
StatsInfo = struct(
    "StatsInfo", ("sets", u32), ("layers", u32), ("known", u32), ("operators", u32), ("refused", u32),
    ("refusal", c.c_char_p),
)
VerifyOptions = struct(
    "VerifyOptions", ("n_sets", u32), ("inputs", c.POINTER(Array)), ("signature", c.c_char_p), ("low", c.c_double),
    ("high", c.c_double), ("seed", u32), ("n_trials", u32), ("progress", PROGRESS), ("progress_opaque", c.c_void_p),
    ("runner", c.POINTER(Runner)),
)
VerificationInfo = struct(
    "VerificationInfo", ("n_sets", u32), ("outputs", u32), ("layers", u32), ("compared_outputs", u32),
    ("compared_layers", u32), ("worst_output", i32), ("entry_layer", i32), ("unmatched", u32), ("other_unmatched", u32),
    ("skipped", u32), ("other_skipped", u32), ("refusal", c.c_char_p),
)
Comparison = struct(
    "Comparison", ("sets", u32), ("subgraph", u32), ("op", i32), ("tensor", i32), ("other_subgraph", u32),
    ("other_op", i32), ("other_tensor", i32), ("output", i32), ("builtin_code", i32), ("name", c.c_char_p),
    ("op_name", c.c_char_p), ("other_op_name", c.c_char_p), ("shape", c.POINTER(i32)), ("rank", u32), ("type", i32),
    ("elements", u64), ("differing", u64), ("broken", u64), ("snr_db", c.c_double), ("cosine", c.c_double),
    ("mean_magnitude", c.c_double), ("mean_difference", c.c_double), ("mean_relative_difference", c.c_double),
    ("max_difference", c.c_double), ("local_snr_db", c.c_double), ("output_snr_db", c.c_double), ("low", c.c_double),
    ("high", c.c_double),
)

P, E = c.c_void_p, c.POINTER(Error)
OUT = c.POINTER(P)
FUNCTIONS = {
    "tq_version": (u32,),
    "tq_abi_version": (u32,),
    "tq_status_name": (c.c_char_p, i32),
    "tq_load_file": (i32, c.c_char_p, P, OUT, E),
    "tq_load_memory": (i32, P, u64, P, OUT, E),
    "tq_load_source": (i32, P, P, OUT, E),
    "tq_model_free": (None, P),
    "tq_get_model_info": (i32, P, P),
    "tq_get_subgraph_info": (i32, P, u32, P),
    "tq_get_tensor_info": (i32, P, u32, u32, P),
    "tq_get_operator_info": (i32, P, u32, u32, P),
    "tq_get_metadata_info": (i32, P, u32, P),
    "tq_get_signature_info": (i32, P, u32, P),
    "tq_get_member_info": (i32, P, u32, P),
    "tq_member_model": (P, P, u32),
    "tq_extract_member": (i32, P, u32, P, E),
    "tq_type_name": (c.c_char_p, i32),
    "tq_get_recipe_info": (i32, u32, P),
    "tq_recipe_create": (i32, c.c_char_p, OUT, E),
    "tq_recipe_parse": (i32, c.c_char_p, c.c_size_t, OUT, E),
    "tq_recipe_name": (c.c_char_p, P),
    "tq_recipe_free": (None, P),
    "tq_stats_create": (i32, P, P, OUT, E),
    "tq_stats_add": (i32, P, c.POINTER(Array), u32, E),
    "tq_get_stats_info": (i32, P, P),
    "tq_stats_free": (None, P),
    "tq_quantize": (i32, P, P, P, OUT, E),
    "tq_verdict_name": (c.c_char_p, u32),
    "tq_reason_name": (c.c_char_p, u32),
    "tq_reason_text": (c.c_char_p, u32),
    "tq_model_report": (P, P),
    "tq_get_report_entry": (i32, P, u32, P),
    "tq_get_report_totals": (i32, P, P),
    "tq_save_file": (i32, P, c.c_char_p, P, E),
    "tq_save_sink": (i32, P, P, P, E),
    "tq_save_memory": (i32, P, P, OUT, c.POINTER(u64), E),
    "tq_memory_free": (None, P, P, u64),
    "tq_verify": (i32, P, P, P, OUT, E),
    "tq_verification_free": (None, P),
    "tq_get_verification_info": (i32, P, P),
    "tq_get_output_comparison": (i32, P, u32, P),
    "tq_get_layer_comparison": (i32, P, u32, P),
    "tq_check": (i32, P, P, OUT, E),
    "tq_findings_free": (None, P),
    "tq_findings_count": (u32, P),
    "tq_get_finding": (i32, P, u32, P),
    "tq_get_rule_info": (i32, u32, P),
    "tq_target_name": (c.c_char_p, u32),
    "tq_severity_name": (c.c_char_p, u32),
    "tq_get_rewrite_info": (i32, u32, P),
    "tq_rewrite": (i32, P, P, OUT, E),
    "tq_edit_count": (u32, P),
    "tq_get_edit_info": (i32, P, u32, P),
}
OK, INVALID_ARGUMENT, OUT_OF_MEMORY, MEMORY_LIMIT, CANCELLED, UNSUPPORTED = 0, 1, 2, 3, 4, 22
ERR_OPEN, ERR_READ, ERR_WRITE, ERR_EXISTS, ERR_SAME_FILE = 10, 11, 12, 13, 14
NOT_A_MODEL, CORRUPT, UNKNOWN_RECIPE, BAD_RECIPE = 20, 21, 30, 31
OVERWRITE = 1
QUANTIZED = 1


def load(path):
    library = c.CDLL(str(path))
    for name, (result, *arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
