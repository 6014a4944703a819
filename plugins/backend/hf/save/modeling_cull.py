"""A mixture of experts whose layers differ, written by Cull beside a checkpoint of its own layout.

from_pretrained(…, trust_remote_code=True) uses it, with transformers 5. config.json's "cull_layers" has for each layer
null, or the number of "experts" (rows of its router), how many there are "per_token", how many each of the router's
"groups" has, and which experts are "constants": these have no matrices, and yield the rows of the tensor
experts.constants whatever they are given.
"""
import copy
import inspect

import torch

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
PER_TOKEN = ("num_experts_per_tok", "moe_k", "moe_topk", "top_k_experts")


def altered(config, names, number):
    config = copy.deepcopy(config)
    for name in names:
        if hasattr(config, name):
            setattr(config, name, number)
    return config


def rebuilt(block, config, layer):
    """A block like this one for another number of experts."""
    more = {"layer_idx": layer} if "layer_idx" in inspect.signature(type(block).__init__).parameters else {}
    return type(block)(config, **more)


def with_constants(experts, count, constants, width):
    """`experts`, which are those that have matrices, as `count` experts with constants among them."""

    class ExpertsAndConstants(type(experts)):
        def forward(self, hidden_states, index, weights):
            place = torch.tensor(self.place, device=index.device)[index]
            row = torch.tensor(self.row, device=index.device)[index]
            weights = weights.to(hidden_states.dtype)
            out = super().forward(hidden_states, place, weights.masked_fill(row >= 0, 0))
            gate = weights.masked_fill(row < 0, 0)
            # as wide as the model; experts may work in a narrower space, and yield no more
            constants = self.constants[row.clamp(min=0), : out.shape[-1]].to(gate.dtype)
            return out + torch.einsum("nk,nkd->nd", gate, constants)

    class InputsAndConstants(type(experts)):
        """Of experts that get every token, those that a token has not chosen as zeros."""

        def forward(self, hidden_states):
            inputs = hidden_states.view(len(self.place), -1, hidden_states.shape[-1])
            kept = [e for e, row in enumerate(self.row) if row < 0]
            out = torch.zeros_like(inputs)
            out[kept] = super().forward(inputs[kept].reshape(-1, inputs.shape[-1])).view_as(inputs[kept])
            for e, row in enumerate(self.row):
                if row >= 0:
                    out[e] = inputs[e].ne(0).any(-1, keepdim=True) * self.constants[row].to(out.dtype)
            return out.view_as(hidden_states)

    stored = [e for e in range(count) if e not in constants]
    on_input = len(inspect.signature(type(experts).forward).parameters) == 2
    experts.__class__ = InputsAndConstants if on_input else ExpertsAndConstants
    experts.place = [stored.index(e) if e in stored else 0 for e in range(count)]
    experts.row = [constants.index(e) if e in constants else -1 for e in range(count)]
    experts.constants = torch.nn.Parameter(torch.zeros(len(constants), width))


def with_groups(router, sizes):
    """`router`, which takes a token's experts from its best groups, with groups that have these sizes."""

    class RouterOfGroups(type(router)):
        def forward(self, hidden_states):
            logits = hidden_states.reshape(-1, hidden_states.shape[-1]).float() @ self.weight.float().T
            bias = getattr(self, "e_score_correction_bias", None)
            scores = logits.softmax(-1) if bias is None else logits.sigmoid()
            choice = scores if bias is None else scores + bias
            counted = 2 if bias is not None or "Mistral4" in type(self).__mro__[1].__name__ else 1  # of a group's best
            groups = [group.topk(min(counted, group.shape[-1])).values for group in choice.split(self.sizes, -1)]
            of_groups = [best.sum(-1) if best.shape[-1] else best.new_full(best.shape[:-1], -torch.inf)
                         for best in groups]
            chosen = torch.stack(of_groups, -1).topk(self.topk_group).indices
            allowed = torch.zeros(len(logits), len(self.sizes), dtype=torch.bool, device=logits.device)
            allowed = allowed.scatter(1, chosen, True)
            allowed = allowed.repeat_interleave(torch.tensor(self.sizes, device=logits.device), -1)
            best, index = choice.masked_fill(~allowed, -torch.inf).topk(self.top_k)
            weights = scores.gather(1, index).masked_fill(best == -torch.inf, 0)
            if getattr(self, "norm_topk_prob", False):
                weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
            return logits, weights * self.routed_scaling_factor, index

    router.__class__ = RouterOfGroups
    router.sizes = sizes


class Model(Stock):
    def __init__(self, config):
        super().__init__(config)
        config, decoder = config.get_text_config(), self.get_decoder()
        decoder = decoder if hasattr(decoder, "layers") else decoder.model
        for i, (layer, own) in enumerate(zip(decoder.layers, config.cull_layers)):
            if own is None:
                continue
            constants = own.get("constants", [])
            config_of_layer = altered(altered(config, EXPERTS, own["experts"]), PER_TOKEN, own["per_token"])
            if hasattr(layer, "experts"):  # Gemma 4 has router and experts in the layer itself
                layer.router = type(layer.router)(config_of_layer)
                block = layer
            else:
                name, block = next((n, b) for n, b in layer.named_children() if hasattr(b, "experts"))
                block = rebuilt(block, config_of_layer, i)
                setattr(layer, name, block)
            if "groups" in own:
                with_groups(block.gate, own["groups"])
            stored = altered(config_of_layer, EXPERTS, own["experts"] - len(constants))
            block.experts = type(block.experts)(stored)
            if constants:
                with_constants(block.experts, own["experts"], constants, config.hidden_size)

    @classmethod
    def is_custom_code(cls):
        """No: transformers renames tensors of its own classes alone, and these are named as Stock's are."""
        return False


Model.__name__ = Stock.__name__
