//! The kinds of adapters that there are, told by their tensors' names: for `inspect` and for refusals.

/// A kind of adapter.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// What people call it.
    pub name: &'static str,
    /// The same with its article, for a sentence.
    pub what: &'static str,
    /// Whether it is read.
    pub is_read: bool,
    /// How names of its tensors end, with a dot or an underscore before; PEFT may put an adapter's name or `weight` after that.
    ends: &'static [&'static str],
    /// How many sides such a tensor has, where that tells.
    n_sides: Option<usize>,
}

const fn read(name: &'static str, what: &'static str, ends: &'static [&'static str]) -> Method {
    Method { name, what, is_read: true, ends, n_sides: None }
}

const fn unread(name: &'static str, what: &'static str, ends: &'static [&'static str]) -> Method {
    Method { name, what, is_read: false, ends, n_sides: None }
}

/// The first that fits is meant, so what is special stands before what is common.
static METHODS: [Method; 18] = [
    // LyCORIS names the tensors of OFT and BOFT alike; BOFT has one set of blocks for each of its factors.
    Method { n_sides: Some(4), ..unread("BOFT", "a BOFT adapter", &["oft_blocks"]) },
    unread("OFT", "an OFT adapter", &["oft_blocks", "oft_diag", "oft_r", "oft_R", "oft_s"]),
    unread("BOFT", "a BOFT adapter", &["boft_R", "boft_s"]),
    unread("(IA)³", "an (IA)³ adapter", &["on_input", "ia3_l"]),
    unread("GLoRA", "a GLoRA adapter", &["a1.weight", "b1.weight", "a2.weight", "b2.weight"]),
    unread("LoRA of word embeddings", "a LoRA of word embeddings", &["lora_embedding_A", "lora_embedding_B"]),
    unread("VeRA", "a VeRA adapter", &["vera_lambda_b", "vera_lambda_d"]),
    unread("HRA", "an HRA adapter", &["hra_u"]),
    unread("FourierFT", "a FourierFT adapter", &["fourierft_spectrum"]),
    unread("VB-LoRA", "a VB-LoRA adapter", &["vblora_logits_A", "vblora_logits_B"]),
    unread("RandLoRA", "a RandLoRA adapter", &["randlora_lambda", "randlora_gamma"]),
    unread("Bone", "a Bone adapter", &["bone_block"]),
    read("LoHa", "a LoHa", &["hada_w1_a"]),
    read("LoKr", "a LoKr", &["lokr_w1", "lokr_w1_a"]),
    read("DoRA", "a DoRA", &["dora_scale", "lora_magnitude_vector"]),
    read("LoCon", "a LoCon", &["lora_mid.weight"]),
    read("LoRA", "a LoRA", &["lora_down.weight", "lora.down.weight", "lora_A", "lora_linear_layer.down.weight"]),
    read("full difference", "a full difference", &["diff", "diff_b", "w_norm", "b_norm"]),
];

impl Method {
    /// `names` are a tensor's name, and that without its last and its last two words.
    fn fits(&self, names: [Option<&str>; 3], shape: &[usize]) -> bool {
        let is_end = |name: &str| {
            let ends = |end: &&str| name.strip_suffix(end).is_some_and(|before| before.ends_with(['.', '_']) && before.len() > 1);
            self.ends.iter().any(ends)
        };
        self.n_sides.is_none_or(|n| n == shape.len()) && names.into_iter().flatten().any(is_end)
    }
}

/// The kind of adapter that a file of these tensors is; `None` for files that are no adapters.
pub fn method<'a>(tensors: impl Iterator<Item = (&'a str, &'a [usize])>) -> Option<&'static Method> {
    let without_word = |name: &'a str| name.rsplit_once('.').map(|(before, _)| before);
    let mut first = METHODS.len();
    for (name, shape) in tensors {
        let once = without_word(name);
        let names = [Some(name), once, once.and_then(without_word)];
        // Only what stands before the one that was found so far can be meant instead.
        first = METHODS[..first].iter().position(|method| method.fits(names, shape)).unwrap_or(first);
    }
    METHODS.get(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_their_names() {
        let square = [8, 8];
        for (name, shape, expected) in [
            ("lora_unet_x.lora_down.weight", &square[..], Some("LoRA")),
            ("unet.x.lora_A.weight", &square, Some("LoRA")),
            ("unet.x.lora_A.default.weight", &square, Some("LoRA")),
            ("unet.x.to_q_lora.down.weight", &square, Some("LoRA")),
            ("x.lora_mid.weight", &square, Some("LoCon")),
            ("x.hada_w1_a", &square, Some("LoHa")),
            ("x.lokr_w1", &square, Some("LoKr")),
            ("x.lokr_w1_a", &square, Some("LoKr")),
            ("x.dora_scale", &[8, 1], Some("DoRA")),
            ("x.diff", &square, Some("full difference")),
            ("x.a1.weight", &square, Some("GLoRA")),
            ("x.on_input", &[], Some("(IA)³")),
            ("base_model.model.x.ia3_l", &[8, 1], Some("(IA)³")),
            ("base_model.model.x.ia3_l.default", &[8, 1], Some("(IA)³")),
            ("oft_unet_x.oft_blocks", &[4, 2, 2], Some("OFT")),
            ("base_model.model.x.oft_r.default.weight", &[4, 3], Some("OFT")),
            ("base_model.model.x.oft_R.weight", &[4, 3], Some("OFT")),
            ("x.oft_blocks", &[2, 4, 2, 2], Some("BOFT")),
            ("base_model.model.x.boft_R", &[2, 4, 2, 2], Some("BOFT")),
            ("base_model.model.x.lora_embedding_A", &square, Some("LoRA of word embeddings")),
            ("base_model.model.x.vera_lambda_b", &[8], Some("VeRA")),
            ("conv_in.weight", &square, None),
            ("model.diffusion_model.out.2.weight", &square, None),
            ("diff", &square, None),
        ] {
            let found = method([(name, shape)].into_iter());
            assert_eq!(found.map(|method| method.name), expected, "{name}");
        }
    }
}
