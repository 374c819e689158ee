"""The numbers of a model that planning needs, without its weights."""

from finetune_core.api.base import ApiModel


class ModelShape(ApiModel):
    """A decoder-only transformer, dense or with experts in place of every MLP.

    Names as in transformers' ``config.json``; ``finetune_core.planning.shapes`` reads that file into this.
    """

    model_type: str
    hidden_size: int
    intermediate_size: int
    """Of the MLP, or of one expert."""
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    vocab_size: int
    max_position_embeddings: int
    tied_embeddings: bool
    qkv_bias: bool = False
    qk_norm: bool = False
    norms_per_layer: int = 2
    gated_mlp: bool = True
    fused_qkv: bool = False
    """Queries, keys and values come of one linear."""
    fused_gate_up: bool = False
    """Both inputs of the gated MLP come of one linear."""
    num_experts: int = 0
    """In each layer; 0: the model is dense."""
    experts_per_token: int = 0

    @property
    def linear_shapes(self) -> dict[str, tuple[int, int]]:
        """(in, out) features of each linear of one layer, by its module name; experts are no linears."""
        hidden, heads, kv = self.hidden_size, self.num_heads * self.head_dim, self.num_kv_heads * self.head_dim
        inner = self.intermediate_size
        if self.fused_qkv:
            attention = {"qkv_proj": (hidden, heads + 2 * kv)}
        else:
            attention = {"q_proj": (hidden, heads), "k_proj": (hidden, kv), "v_proj": (hidden, kv)}
        attention["o_proj"] = (heads, hidden)
        if self.num_experts:
            return attention
        if self.fused_gate_up:
            mlp = {"gate_up_proj": (hidden, 2 * inner)}
        else:
            mlp = ({"gate_proj": (hidden, inner)} if self.gated_mlp else {}) | {"up_proj": (hidden, inner)}
        return attention | mlp | {"down_proj": (inner, hidden)}

    @property
    def linear_parameters(self) -> int:
        """Weights of the linears inside the layers, however they are fused: what QLoRA quantises."""
        attention = 2 * (self.num_heads + self.num_kv_heads) * self.head_dim
        mlp = 0 if self.num_experts else (3 if self.gated_mlp else 2) * self.intermediate_size
        return self.num_layers * self.hidden_size * (attention + mlp)

    @property
    def layer_parameters(self) -> int:
        """Weights of all layers but biases and norms: linears, experts and what chooses among these."""
        return self.linear_parameters + self._in_experts(self.num_experts)

    @property
    def active_parameters(self) -> int:
        """Of these, the ones that a token goes through."""
        return self.linear_parameters + self._in_experts(self.experts_per_token)

    def _in_experts(self, experts: int) -> int:
        """Of so many experts in each layer, which are three matrices each, and of the choice among all."""
        return self.num_layers * self.hidden_size * (3 * self.intermediate_size * experts + self.num_experts)

    @property
    def embedding_parameters(self) -> int:
        """Input embedding, and the head unless it is tied to it."""
        return self.vocab_size * self.hidden_size * (1 if self.tied_embeddings else 2)

    @property
    def parameters(self) -> int:
        """All parameters."""
        bias = (self.num_heads + 2 * self.num_kv_heads) * self.head_dim if self.qkv_bias else 0
        norms = self.norms_per_layer * self.hidden_size + (2 * self.head_dim if self.qk_norm else 0)
        return self.layer_parameters + self.embedding_parameters + self.num_layers * (bias + norms) + self.hidden_size
