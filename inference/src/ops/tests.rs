//! Every fast version against its plain candle version.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{Device, Tensor};

use super::*;

pub(super) fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let n = shape.iter().product();
    let values = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    });
    Tensor::from_vec(values.take(n).collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap()
}

pub(super) fn assert_close(name: &str, found: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(found.dims(), expected.dims(), "{name}");
    let difference = (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    assert!(difference <= tolerance, "{name}: differs by {difference}");
}

#[test]
fn convolution_equals_the_plain_one() {
    for (i, (n, channels, out, (height, width), kernel, stride, padding)) in [
        (1, 1, 1, (1, 1), 1, 1, (0, 0)),
        (2, 3, 7, (5, 9), 3, 1, (1, 1)),
        (3, 33, 19, (4, 4), 3, 1, (1, 1)),
        (2, 30, 64, (8, 8), 3, 1, (1, 1)),
        (1, 40, 12, (16, 16), 3, 1, (1, 1)),
        (2, 16, 8, (9, 7), 3, 2, (1, 1)),
        (2, 16, 8, (8, 6), 3, 2, (0, 1)),
        (2, 300, 20, (3, 4), 1, 1, (0, 0)),
        (1, 4, 6, (12, 12), 5, 1, (2, 2)),
        // More pixels than one wave holds.
        (1, 3, 2, (300, 301), 3, 1, (1, 1)),
    ]
    .into_iter()
    .enumerate()
    {
        let seed = i as u64 * 10;
        let (input, weight, bias) =
            (random(&[n, channels, height, width], seed + 1), random(&[out, channels, kernel, kernel], seed + 2), random(&[out], seed + 3));
        let options = ConvOptions { stride, padding };
        let plain = conv::plain(&input, &weight, Some(&bias), options, Padding::Zeros).unwrap();
        let fast = Conv2d::new(weight, Some(bias), options).unwrap();
        assert_close(&format!("case {i}"), &fast.forward(&input).unwrap(), &plain, 1e-4);
        let residual = random(plain.dims(), seed + 4);
        assert_close(&format!("case {i} + residual"), &fast.forward_add(&input, &residual).unwrap(), &(&plain + &residual).unwrap(), 1e-4);
        let shift = random(&[n, out], seed + 5);
        let shifted = plain.broadcast_add(&shift.reshape((n, out, 1, 1)).unwrap()).unwrap();
        assert_close(&format!("case {i} + shift"), &fast.padded(Padding::Zeros).forward_shifted(&input, &shift).unwrap(), &shifted, 1e-4);
    }
}

/// The picture with its other edges laid beside it.
fn wrapped(input: &Tensor, (before, after): (usize, usize)) -> Tensor {
    [2, 3].into_iter().fold(input.clone(), |input, axis| {
        let length = input.dim(axis).unwrap();
        let (head, tail) = (input.narrow(axis, 0, after).unwrap(), input.narrow(axis, length - before, before).unwrap());
        Tensor::cat(&[&tail, &input, &head], axis).unwrap()
    })
}

#[test]
fn circular_padding_is_the_other_edge() {
    for (i, (n, channels, out, (height, width), kernel, stride, padding)) in [
        (1, 1, 1, (1, 1), 3, 1, (1, 1)),
        (2, 3, 7, (5, 9), 3, 1, (1, 1)),
        (3, 33, 19, (4, 4), 3, 1, (1, 1)),
        (2, 16, 8, (9, 7), 3, 2, (1, 1)),
        (2, 16, 8, (8, 6), 3, 2, (0, 1)),
        (1, 4, 6, (12, 12), 5, 1, (2, 2)),
        (1, 4, 6, (3, 3), 1, 1, (0, 0)),
    ]
    .into_iter()
    .enumerate()
    {
        let (input, weight, bias) =
            (random(&[n, channels, height, width], 1), random(&[out, channels, kernel, kernel], 2), random(&[out], 3));
        let options = ConvOptions { stride, padding };
        let by_hand = wrapped(&input, padding).contiguous().unwrap().conv2d(&weight, 0, stride, 1, 1).unwrap();
        let by_hand = by_hand.broadcast_add(&bias.reshape((1, out, 1, 1)).unwrap()).unwrap();
        let plain = conv::plain(&input, &weight, Some(&bias), options, Padding::Circular).unwrap();
        assert_close(&format!("case {i}, plain"), &plain, &by_hand, 1e-6);
        let conv = Conv2d::new(weight, Some(bias), options).unwrap();
        let fast = conv.padded(Padding::Circular);
        assert_close(&format!("case {i}"), &fast.forward(&input).unwrap(), &by_hand, 1e-4);
        let residual = random(by_hand.dims(), 4);
        assert_close(
            &format!("case {i} + residual"),
            &fast.forward_add(&input, &residual).unwrap(),
            &(&by_hand + &residual).unwrap(),
            1e-4,
        );
        let rows = (0..n).map(|row| fast.forward(&input.narrow(0, row, 1).unwrap()).unwrap()).collect::<Vec<_>>();
        assert_close(&format!("case {i}, row by row"), &fast.forward(&input).unwrap(), &Tensor::cat(&rows, 0).unwrap(), 0.0);
    }
}

#[test]
fn circular_padding_wider_than_the_picture_goes_round_again() {
    let (input, weight) = (random(&[1, 2, 1, 1], 1), random(&[3, 2, 5, 5], 2));
    let everywhere = input.broadcast_as((1, 2, 5, 5)).unwrap().contiguous().unwrap().conv2d(&weight, 0, 1, 1, 1).unwrap();
    let options = ConvOptions::same(5);
    assert_close("plain", &conv::plain(&input, &weight, None, options, Padding::Circular).unwrap(), &everywhere, 1e-5);
    let fast = Conv2d::new(weight, None, options).unwrap().padded(Padding::Circular).forward(&input).unwrap();
    assert_close("fast", &fast, &everywhere, 1e-5);
}

#[test]
fn bands_of_rows_make_the_whole() {
    for (height, kernel, stride) in [(12, 3, 1), (13, 3, 2), (7, 1, 1), (9, 5, 3)] {
        let (padded, weight) = (random(&[2, 3, height, 8], 1), random(&[4, 3, kernel, kernel], 2));
        let whole = padded.conv2d(&weight, 0, stride, 1, 1).unwrap();
        for max_rows in [1, 2, 3, 100] {
            let bands = conv::in_bands(&padded, &weight, stride, max_rows).unwrap();
            assert_close(&format!("{height} rows in bands of {max_rows}"), &bands, &whole, 1e-5);
        }
    }
}

#[test]
fn linear_equals_the_plain_one() {
    for (n, width, out) in [(1, 1, 1), (1, 700, 33), (5, 16, 16), (6, 40, 100), (97, 257, 48), (300, 20, 7)] {
        let (rows, weight, bias, residual) = (random(&[n, width], 1), random(&[out, width], 2), random(&[out], 3), random(&[n, out], 4));
        let plain = linear::plain(&rows, &weight, Some(&bias)).unwrap();
        let without_bias = linear::plain(&rows, &weight, None).unwrap();
        let fast = Linear::new(weight.clone(), Some(bias)).unwrap();
        assert_close("linear", &fast.forward(&rows).unwrap(), &plain, 1e-4);
        assert_close("linear + residual", &fast.forward_add(&rows, &residual).unwrap(), &(plain + &residual).unwrap(), 1e-4);
        assert_close("without bias", &Linear::new(weight, None).unwrap().forward(&rows).unwrap(), &without_bias, 1e-4);
    }
}

#[test]
fn attention_equals_the_plain_one() {
    for (n, n_heads, width, n_queries, n_keys, is_causal) in [
        (1, 1, 8, 1, 1, false),
        (2, 4, 48, 64, 77, false),
        (3, 2, 5, 49, 300, false),
        (2, 3, 16, 77, 77, true),
        (1, 1, 300, 130, 130, false),
    ] {
        let options = Attention { n_heads, is_causal, upcast: false };
        let (q, k, v) = (
            random(&[n, n_queries, n_heads * width], 1),
            random(&[n, n_keys, n_heads * width], 2),
            random(&[n, n_keys, n_heads * width], 3),
        );
        let (q, k) = ((q * 3.0).unwrap(), (k * 3.0).unwrap());
        let (fast, plain) = (attention(&q, &k, &v, options).unwrap(), attention::plain(&q, &k, &v, options).unwrap());
        assert_close(&format!("{n_queries} queries, {n_keys} keys"), &fast, &plain, 2e-5);
    }
}

#[test]
fn normalisation_equals_the_plain_one() {
    for (n, channels, n_groups, (height, width)) in [(1, 4, 2, (1, 1)), (2, 32, 8, (5, 7)), (3, 12, 12, (16, 16)), (1, 8, 1, (60, 61))] {
        let (input, weight, bias) = (random(&[n, channels, height, width], 1), random(&[channels], 2), random(&[channels], 3));
        let input = input.affine(4.0, 20.0).unwrap();
        let plain = norm::plain_group_norm(&input, &weight, &bias, n_groups, 1e-5).unwrap();
        let fast = GroupNorm::new(weight.clone(), bias.clone(), n_groups, 1e-5).unwrap();
        assert_close("group norm", &fast.forward(&input).unwrap(), &plain, 1e-4);
        assert_close("group norm + silu", &fast.forward_silu(&input).unwrap(), &plain.silu().unwrap(), 1e-4);
        let rows = random(&[n, height * width, channels], 4);
        let plain = norm::plain_layer_norm(&rows, &weight, &bias, 1e-5).unwrap();
        assert_close("layer norm", &LayerNorm::new(weight, bias, 1e-5).unwrap().of(Batch::default()).forward(&rows).unwrap(), &plain, 1e-4);
    }
}

#[test]
fn activations_equal_the_plain_ones() {
    let input = (random(&[3, 40, 34], 1) * 8.0).unwrap();
    for activation in [Activation::Silu, Activation::QuickGelu, Activation::Gelu] {
        assert_close(&format!("{activation:?}"), &activation.forward(&input).unwrap(), &activation.plain(&input).unwrap(), 1e-5);
    }
    assert_close("geglu", &geglu(&input).unwrap(), &activation::plain_geglu(&input).unwrap(), 5e-5);
    let (planes, slopes) = (random(&[2, 5, 4, 3], 2), random(&[5], 3));
    let plain = activation::plain_prelu(&planes, &slopes).unwrap();
    assert_close("prelu", &PRelu::new(slopes).unwrap().forward(&planes).unwrap(), &plain, 0.0);
}

#[test]
fn layouts_equal_the_plain_ones() {
    let planes = random(&[2, 19, 5, 7], 1);
    let tokens = planes.flatten_from(2).unwrap().transpose(1, 2).unwrap().contiguous().unwrap();
    assert_close("tokens", &to_tokens(&planes).unwrap(), &tokens, 0.0);
    assert_close("planes", &to_planes(&tokens, (5, 7)).unwrap(), &planes, 0.0);
    for size in [(10, 14), (9, 13), (5, 7)] {
        assert_close("upsample", &upsample_nearest(&planes, size).unwrap(), &planes.upsample_nearest2d(size.0, size.1).unwrap(), 0.0);
    }
}

#[test]
fn views_that_are_not_contiguous_are_read_rightly() {
    let wide = random(&[2, 6, 8, 8], 1);
    let view = wide.narrow(1, 2, 3).unwrap().transpose(2, 3).unwrap();
    let (weight, options) = (random(&[4, 3, 3, 3], 2), ConvOptions::same(3));
    let plain = conv::plain(&view.contiguous().unwrap(), &weight, None, options, Padding::Zeros).unwrap();
    assert_close("view", &Conv2d::new(weight, None, options).unwrap().forward(&view).unwrap(), &plain, 1e-4);
}

#[test]
fn wrong_shapes_are_errors() {
    let conv = Conv2d::new(random(&[4, 3, 3, 3], 1), None, ConvOptions::same(3)).unwrap();
    assert!(conv.forward(&random(&[1, 4, 8, 8], 2)).is_err());
    assert!(conv.forward_add(&random(&[1, 3, 8, 8], 2), &random(&[1, 4, 8, 7], 3)).is_err());
    assert!(conv.padded(Padding::Zeros).forward_shifted(&random(&[2, 3, 8, 8], 2), &random(&[1, 4], 3)).is_err());
    let linear = Linear::new(random(&[4, 3], 1), None).unwrap();
    assert!(linear.forward(&random(&[2, 4], 2)).is_err());
    assert!(linear.forward_add(&random(&[2, 3], 2), &random(&[1, 4], 2)).is_err());
    assert!(GroupNorm::new(random(&[4], 1), random(&[4], 2), 2, 1e-5).unwrap().forward(&random(&[1, 5, 2, 2], 3)).is_err());
    let options = Attention { n_heads: 3, is_causal: false, upcast: false };
    assert!(attention(&random(&[1, 2, 8], 1), &random(&[1, 2, 8], 2), &random(&[1, 2, 8], 3), options).is_err());
}

#[test]
fn one_thread_and_many_give_the_same_bits() {
    let (input, weight) = (random(&[3, 20, 8, 8], 1), random(&[40, 20, 3, 3], 2));
    let (tokens, context) = (random(&[3, 100, 40], 3), random(&[3, 77, 40], 4));
    let conv = Conv2d::new(weight, None, ConvOptions::same(3)).unwrap();
    let linear = Linear::new(random(&[30, 40], 5), None).unwrap();
    let run = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let options = Attention { n_heads: 4, is_causal: false, upcast: false };
            let outputs = [conv.forward(&input), linear.forward(&tokens), attention(&tokens, &context, &context, options)];
            outputs.map(|output| output.unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap())
        })
    };
    let one = run(1);
    for n_threads in [2, 3, 7, 16] {
        assert_eq!(run(n_threads), one, "{n_threads} threads");
    }
}

#[test]
fn root_mean_square_normalisation_of_heads_equals_the_plain_one() {
    for (shape, width) in [(vec![3, 5, 8], 8), (vec![2, 7, 96], 16), (vec![1, 1, 2560], 2560), (vec![2, 2, 130], 65)] {
        let (input, weight) = (random(&shape, 3), random(&[width], 4));
        let plain = rms_norm::plain_rms_norm(&input, &weight, 1e-6).unwrap();
        let fast = RmsNorm::new(weight, 1e-6).unwrap();
        assert_close(&format!("{shape:?} of {width}"), &fast.forward(&input).unwrap(), &plain, 2e-6);
    }
    let narrow = RmsNorm::new(random(&[6], 1), 1e-6).unwrap();
    assert!(narrow.forward(&random(&[2, 8], 2)).is_err(), "eight numbers are not heads of six");
}

#[test]
fn gates_equal_the_plain_ones() {
    for shape in [vec![1, 1, 1], vec![2, 5, 33], vec![3, 100, 70]] {
        let (gate, hidden) = ((random(&shape, 5) * 8.0).unwrap(), random(&shape, 6));
        assert_close(&format!("{shape:?}"), &swiglu(&gate, &hidden).unwrap(), &swiglu::plain_swiglu(&gate, &hidden).unwrap(), 2e-6);
    }
}

#[test]
fn turned_heads_equal_the_plain_ones_and_keep_their_lengths() {
    for (pairs, (n, n_tokens, n_heads, half)) in
        [(Pairs::Adjacent, (2, 5, 3, 4)), (Pairs::Halves, (2, 5, 3, 4)), (Pairs::Adjacent, (1, 33, 2, 64)), (Pairs::Halves, (3, 40, 1, 1))]
    {
        let angles: Vec<f32> = (0..n_tokens * half).map(|i| i as f32 * 0.37).collect();
        let rotary = Rotary::new(&angles, half, pairs, &Device::Cpu).unwrap();
        let input = random(&[n, n_tokens, n_heads * 2 * half], 7);
        let found = rotary.forward(&input).unwrap();
        assert_close(&format!("{pairs:?} of {half}"), &found, &rotary.plain(&input).unwrap(), 1e-6);
        let lengths = |tensor: &Tensor| tensor.reshape((n * n_tokens * n_heads, 2 * half)).unwrap().sqr().unwrap().sum(1).unwrap();
        assert_close("lengths", &lengths(&found), &lengths(&input), 2e-5);
    }
    // A quarter turn of the first pair: (a, b) becomes (-b, a).
    let quarter = [std::f32::consts::FRAC_PI_2, 0.0];
    let input = Tensor::new(&[[[1.0_f32, 2.0, 3.0, 4.0]]], &Device::Cpu).unwrap();
    for (pairs, expected) in [(Pairs::Adjacent, [-2.0_f32, 1.0, 3.0, 4.0]), (Pairs::Halves, [-3.0, 2.0, 1.0, 4.0])] {
        let found = Rotary::new(&quarter, 2, pairs, &Device::Cpu).unwrap().forward(&input).unwrap();
        assert_close(&format!("{pairs:?}"), &found, &Tensor::new(&[[expected]], &Device::Cpu).unwrap(), 1e-6);
    }
}
