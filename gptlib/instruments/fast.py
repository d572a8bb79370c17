"""Twins of taught parts that are the same functions in fewer passes over memory."""

import copy

import torch
import torch.nn as nn

from gptlib.modern import RMSNorm


class RootMeanSquare(torch.autograd.Function):
    """RMSNorm's formula with its backward pass written out: half as many passes over memory."""

    @staticmethod
    def forward(context, x, weight, eps):
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = torch.rsqrt(length * length / x.shape[-1] + eps)
        y = x * scale
        context.save_for_backward(y, scale, weight)
        return y * weight

    @staticmethod
    def backward(context, gradient):
        y, scale, weight = context.saved_tensors
        product = gradient * y
        along = (product @ weight).unsqueeze(-1) / len(weight)
        of_x = torch.addcmul(gradient * weight, y, along, value=-1) * scale
        return of_x, product.sum(dim=tuple(range(y.dim() - 1))), None


class FastRMSNorm(RMSNorm):
    """RMSNorm with its backward pass written out."""

    def forward(self, x):
        return RootMeanSquare.apply(x, self.weight, self.eps)


def with_fast_norms(model):
    """model, its RMSNorms replaced in place by twins that share their weights: the same function."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child).__name__ == "RMSNorm":
                twin = FastRMSNorm(len(child.weight), child.eps)
                twin.weight = child.weight
                setattr(module, name, twin)
    return model


def laid_out_for_one(model):
    """A copy of model whose matrices lie column by column in memory: the same values, read faster by a single token.

    One token's x @ Wᵀ is bound by reading W; in this order it is a sum of long rows in place of many short products.
    """
    twin = copy.deepcopy(model)
    for module in twin.modules():
        if isinstance(module, nn.Linear):
            module.weight.data = module.weight.data.T.contiguous().T
    return twin
