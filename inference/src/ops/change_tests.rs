//! Layers that are changed for some rows of a batch, and gradients through layers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};

use super::{
    tests::{assert_close, random},
    *,
};

const LAYER: &str = "layer";

fn changes(change: Change) -> Changes {
    Changes::new([(LAYER.into(), change)])
}

fn with_branches(branches: &[(&Arc<Branch>, f64)]) -> Changes {
    changes(Change { branches: branches.iter().map(|(branch, factor)| ((*branch).clone(), *factor)).collect(), ..Change::default() })
}

/// `weight` plus so many times `up · down`.
fn merged(weight: &Tensor, (up, down): (&Tensor, &Tensor), factor: f64) -> Tensor {
    let product = up.matmul(&down.reshape((down.dim(0).unwrap(), ())).unwrap()).unwrap().reshape(weight.shape()).unwrap();
    (weight + (product * factor).unwrap()).unwrap()
}

#[test]
fn branches_of_a_linear_layer_equal_the_merged_weight() {
    for (n, tokens, width, out, rank) in
        [(1, 1, 1, 1, 1), (2, 5, 16, 16, 3), (3, 40, 300, 33, 7), (2, 64, 40, 100, 20), (1, 7, 600, 20, 300)]
    {
        let (input, weight, bias) = (random(&[n, tokens, width], 1), random(&[out, width], 2), random(&[out], 3));
        let residual = random(&[n, tokens, out], 4);
        let pairs = [5, 7].map(|seed| (random(&[out, rank], seed), random(&[rank, width], seed + 1)));
        let all = merged(&merged(&weight, (&pairs[0].0, &pairs[0].1), 0.3), (&pairs[1].0, &pairs[1].1), -0.7);
        let expected = (linear::plain(&input, &all, Some(&bias)).unwrap() + &residual).unwrap();
        for dtype in [DType::F32, DType::F64] {
            let of = |tensor: &Tensor| tensor.to_dtype(dtype).unwrap();
            let branches = pairs.clone().map(|(up, down)| Arc::new(Branch::new(of(&up), of(&down))));
            let changes = with_branches(&[(&branches[0], 0.3), (&branches[1], -0.7)]);
            let layer = Linear::new(of(&weight), Some(of(&bias))).unwrap().named(LAYER.into());
            let rows = vec![&changes; n];
            let found = layer.of(Batch::new(&rows)).forward_add(&of(&input), &of(&residual)).unwrap().to_dtype(DType::F32).unwrap();
            assert_close(&format!("{tokens} × {width} to {out}, rank {rank}, {dtype:?}"), &found, &expected, 2e-3);
        }
    }
}

#[test]
fn branches_of_a_convolution_equal_the_merged_weight() {
    for (n, channels, out, (height, width), kernel, stride, rank, padding) in [
        (1, 1, 1, (1, 1), 1, 1, 1, Padding::Zeros),
        (2, 30, 19, (5, 9), 3, 1, 4, Padding::Zeros),
        (3, 16, 7, (9, 7), 3, 2, 8, Padding::Circular),
        (2, 64, 20, (4, 4), 1, 1, 18, Padding::Zeros),
        (1, 3, 8, (70, 70), 3, 1, 2, Padding::Circular),
    ] {
        let options = ConvOptions { stride, ..ConvOptions::same(kernel) };
        let (input, weight) = (random(&[n, channels, height, width], 1), random(&[out, channels, kernel, kernel], 2));
        let (bias, up, down) = (random(&[out], 3), random(&[out, rank], 4), random(&[rank, channels, kernel, kernel], 5));
        let expected = conv::plain(&input, &merged(&weight, (&up, &down), 0.4), Some(&bias), options, padding).unwrap();
        let (residual, shift) = (random(expected.dims(), 6), random(&[n, out], 7));
        for dtype in [DType::F32, DType::F64] {
            let of = |tensor: &Tensor| tensor.to_dtype(dtype).unwrap();
            let changes = with_branches(&[(&Arc::new(Branch::new(of(&up), of(&down))), 0.4)]);
            let layer = Conv2d::new(of(&weight), Some(of(&bias)), options).unwrap().named(LAYER.into());
            let rows = vec![&changes; n];
            let pass = layer.within(Pass { padding, batch: Batch::new(&rows) });
            let name = format!("{channels} to {out}, rank {rank}, {dtype:?}");
            let close = |found: Tensor, expected: &Tensor| assert_close(&name, &found.to_dtype(DType::F32).unwrap(), expected, 2e-3);
            close(pass.forward_add(&of(&input), &of(&residual)).unwrap(), &(&expected + &residual).unwrap());
            let shifted = expected.broadcast_add(&shift.reshape((n, out, 1, 1)).unwrap()).unwrap();
            close(pass.forward_shifted(&of(&input), &of(&shift)).unwrap(), &shifted);
        }
    }
}

#[test]
fn a_branch_with_a_core_equals_the_product_of_its_three_tensors() {
    let (up, core, columns) = (random(&[9, 4], 1), random(&[4, 3, 3, 3], 2), random(&[3, 20], 3));
    let mut whole = vec![0.0f32; 4 * 20 * 9];
    let (core_values, column_values) =
        (core.flatten_all().unwrap().to_vec1::<f32>().unwrap(), columns.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    for (place, value) in whole.iter_mut().enumerate() {
        let (rank, input, at) = (place / 180, place / 9 % 20, place % 9);
        *value = (0..3).map(|q| core_values[(rank * 3 + q) * 9 + at] * column_values[q * 20 + input]).sum();
    }
    let down = Tensor::from_vec(whole, (4, 20, 3, 3), &Device::Cpu).unwrap();
    let layer = Conv2d::new(random(&[9, 20, 3, 3], 4), None, ConvOptions::same(3)).unwrap().named(LAYER.into());
    let input = random(&[1, 20, 6, 7], 5);
    let [found, expected] = [Branch::with_core(up.clone(), core, columns), Branch::new(up, down)].map(|branch| {
        let changes = with_branches(&[(&Arc::new(branch), 1.0)]);
        layer.within(Batch::new(&[&changes]).into()).forward(&input).unwrap()
    });
    assert_close("core", &found, &expected, 1e-4);
}

/// Nothing, two branches apart and together in both orders, another weight, another bias, and both with a branch.
fn mixed(out: usize, weight: &[usize], kind: LayerKind) -> Vec<Changes> {
    let other = |seed: u64| Some(Arc::new(Weight::new(random(weight, seed), kind).unwrap()));
    let bias = Some(random(&[out], 30));
    if kind == LayerKind::Plain {
        let weights = [(None, None), (other(20), None), (None, bias.clone()), (other(21), bias)];
        return weights.into_iter().map(|(weight, bias)| changes(Change { weight, bias, ..Change::default() })).collect();
    }
    let branch = |seed: u64, rank: usize| {
        let down = [&[rank], &weight[1..]].concat();
        Arc::new(Branch::new(random(&[out, rank], seed), random(&down, seed + 1)))
    };
    let (a, b) = (branch(40, 5), branch(50, 17));
    let weight = other(20);
    vec![
        Changes::default(),
        with_branches(&[(&a, 0.8)]),
        with_branches(&[(&b, -0.5)]),
        with_branches(&[(&a, 0.8), (&b, -0.5)]),
        with_branches(&[(&b, -0.5), (&a, 0.8)]),
        with_branches(&[(&a, 0.7)]),
        changes(Change { weight: weight.clone(), ..Change::default() }),
        changes(Change { bias: bias.clone(), branches: vec![(a, 1.0)], ..Change::default() }),
        changes(Change { weight, bias, ..Change::default() }),
    ]
}

/// Runs rows of these changes together, in every rotation and alone, and compares bits.
fn check_bits(name: &str, all: &[Changes], inputs: &Tensor, run: impl Fn(&Tensor, Batch<'_>) -> Tensor) {
    let bits = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let n = all.len();
    let alone: Vec<_> = (0..n).map(|row| bits(&run(&inputs.narrow(0, row, 1).unwrap(), Batch::new(&[&all[row]])))).collect();
    assert_eq!(alone[0], bits(&run(&inputs.narrow(0, 0, 1).unwrap(), Batch::default())), "{name}: a row that nothing changes");
    for shift in 0..n {
        let order: Vec<usize> = (0..n).map(|place| (place * 2 + shift) % n).collect();
        let rows: Vec<&Changes> = order.iter().map(|row| &all[*row]).collect();
        let parts: Vec<_> = order.iter().map(|row| inputs.narrow(0, *row, 1).unwrap()).collect();
        let together = run(&Tensor::cat(&parts, 0).unwrap(), Batch::new(&rows));
        for (place, row) in order.iter().enumerate() {
            assert_eq!(bits(&together.narrow(0, place, 1).unwrap()), alone[*row], "{name}: row {row} at place {place}");
        }
    }
}

#[test]
fn a_row_has_the_same_bits_whatever_changes_the_others() {
    for tokens in [1, 5, 77] {
        let all = mixed(21, &[21, 33], LayerKind::Linear);
        let layer = Linear::new(random(&[21, 33], 1), Some(random(&[21], 2))).unwrap().named(LAYER.into());
        let (inputs, residual) = (random(&[all.len(), tokens, 33], 3), random(&[1, tokens, 21], 4));
        check_bits("linear", &all, &inputs, |input, batch| {
            let n = input.dim(0).unwrap();
            layer.of(batch).forward_add(input, &residual.broadcast_as((n, tokens, 21)).unwrap()).unwrap()
        });
    }
    for (size, kernel) in [((1, 1), 3), ((5, 3), 1), ((9, 11), 3)] {
        let weight = [13, 6, kernel, kernel];
        let all = mixed(13, &weight, LayerKind::Conv2d);
        let layer = Conv2d::new(random(&weight, 1), Some(random(&[13], 2)), ConvOptions::same(kernel)).unwrap().named(LAYER.into());
        let (inputs, shift) = (random(&[all.len(), 6, size.0, size.1], 3), random(&[1, 13], 4));
        check_bits("convolution", &all, &inputs, |input, batch| {
            let n = input.dim(0).unwrap();
            layer.within(batch.into()).forward_shifted(input, &shift.broadcast_as((n, 13)).unwrap()).unwrap()
        });
    }
    let all = mixed(12, &[12], LayerKind::Plain);
    let group = GroupNorm::new(random(&[12], 1), random(&[12], 2), 3, 1e-5).unwrap().named(LAYER.into());
    check_bits("group norm", &all, &random(&[all.len(), 12, 4, 5], 3), |input, batch| group.of(batch).forward_silu(input).unwrap());
    let layer = LayerNorm::new(random(&[12], 1), random(&[12], 2), 1e-5).unwrap().named(LAYER.into());
    check_bits("layer norm", &all, &random(&[all.len(), 7, 12], 3), |input, batch| layer.of(batch).forward(input).unwrap());
}

#[test]
fn rows_of_another_number_than_the_batch_are_an_error() {
    let all = mixed(4, &[4, 3], LayerKind::Linear);
    let layer = Linear::new(random(&[4, 3], 1), None).unwrap().named(LAYER.into());
    assert!(layer.of(Batch::new(&[&all[1], &all[2]])).forward(&random(&[3, 3], 2)).is_err());
}

/// The gradients of the sum of squares of `run`'s answer.
fn gradients(variables: &[Var], run: impl Fn(&[Tensor]) -> Tensor) -> Vec<Tensor> {
    let inputs: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let store = run(&inputs).sqr().unwrap().sum_all().unwrap().backward().unwrap();
    variables.iter().map(|variable| store.get(variable).expect("a gradient").clone()).collect()
}

fn check_gradients(name: &str, shapes: &[&[usize]], fast: impl Fn(&[Tensor]) -> Tensor, plain: impl Fn(&[Tensor]) -> Tensor) {
    let variables: Vec<Var> = shapes.iter().zip(60..).map(|(shape, seed)| Var::from_tensor(&random(shape, seed)).unwrap()).collect();
    for (found, expected) in gradients(&variables, fast).iter().zip(gradients(&variables, plain)) {
        assert!(expected.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() > 0.0, "{name}: no gradient at all");
        assert_close(name, found, &expected, 1e-3);
    }
}

#[test]
fn gradients_flow_through_every_layer_and_to_branches() {
    let (weight, bias) = (random(&[5, 6], 1), random(&[5], 2));
    let layer = Linear::new(weight.clone(), Some(bias.clone())).unwrap().named(LAYER.into());
    let plain = |input: &Tensor, weight: &Tensor| linear::plain(input, weight, Some(&bias)).unwrap();
    check_gradients("linear", &[&[2, 4, 6]], |x| layer.forward(&x[0]).unwrap(), |x| plain(&x[0], &weight));
    let (input, shapes): (_, [&[usize]; 2]) = (random(&[2, 4, 6], 3), [&[5, 2], &[2, 6]]);
    let branched = |x: &[Tensor]| {
        let changes = with_branches(&[(&Arc::new(Branch::new(x[0].clone(), x[1].clone())), 0.5)]);
        layer.of(Batch::new(&[&changes, &Changes::default()])).forward(&input).unwrap()
    };
    let by_hand = |x: &[Tensor]| {
        let changed = (&weight + (x[0].matmul(&x[1]).unwrap() * 0.5).unwrap()).unwrap();
        let rows = [0, 1].map(|row| plain(&input.narrow(0, row, 1).unwrap(), if row == 0 { &changed } else { &weight }));
        Tensor::cat(&rows, 0).unwrap()
    };
    check_gradients("branch", &shapes, branched, by_hand);

    let (weight, options) = (random(&[4, 3, 3, 3], 4), ConvOptions::same(3));
    let layer = Conv2d::new(weight.clone(), None, options).unwrap();
    let plain = |x: &[Tensor]| x[0].conv2d(&weight, 1, 1, 1, 1).unwrap();
    check_gradients("convolution", &[&[2, 3, 5, 4]], |x| layer.forward(&x[0]).unwrap(), plain);

    let (weight, bias) = (random(&[6], 5), random(&[6], 6));
    let group = GroupNorm::new(weight.clone(), bias.clone(), 2, 1e-5).unwrap();
    let plain = |x: &[Tensor]| norm::plain_group_norm(&x[0], &weight, &bias, 2, 1e-5).unwrap().silu().unwrap();
    check_gradients("group norm", &[&[2, 6, 3]], |x| group.forward_silu(&x[0]).unwrap(), plain);
    let layer = LayerNorm::new(weight.clone(), bias.clone(), 1e-5).unwrap();
    let plain = |x: &[Tensor]| norm::plain_layer_norm(&x[0], &weight, &bias, 1e-5).unwrap();
    check_gradients("layer norm", &[&[2, 3, 6]], |x| layer.of(Batch::default()).forward(&x[0]).unwrap(), plain);

    let options = Attention { n_heads: 2, is_causal: false, upcast: false };
    let by_hand = |x: &[Tensor]| {
        let heads = |tensor: &Tensor| tensor.reshape((2, (), 2, 3)).unwrap().transpose(1, 2).unwrap().contiguous().unwrap();
        let scores = (heads(&x[0]).matmul(&heads(&x[1]).t().unwrap()).unwrap() / 3f64.sqrt()).unwrap().exp().unwrap();
        let shares = scores.broadcast_div(&scores.sum_keepdim(3).unwrap()).unwrap();
        shares.matmul(&heads(&x[2])).unwrap().transpose(1, 2).unwrap().reshape((2, (), 6)).unwrap()
    };
    let shapes: [&[usize]; 3] = [&[2, 4, 6], &[2, 5, 6], &[2, 5, 6]];
    check_gradients("attention", &shapes, |x| attention(&x[0], &x[1], &x[2], options).unwrap(), by_hand);
    for activation in [Activation::Silu, Activation::QuickGelu, Activation::Gelu] {
        check_gradients("activation", &[&[3, 4]], |x| activation.forward(&x[0]).unwrap(), |x| activation.plain(&x[0]).unwrap());
    }
    check_gradients("geglu", &[&[3, 8]], |x| geglu(&x[0]).unwrap(), |x| activation::plain_geglu(&x[0]).unwrap());
    let (to, from) = (|x: &[Tensor]| to_tokens(&x[0]).unwrap(), |x: &[Tensor]| x[0].flatten_from(2).unwrap().transpose(1, 2).unwrap());
    check_gradients("tokens", &[&[2, 3, 4, 5]], to, from);
}
