"""spanforge.Tokenizer against transformers', and its arrays."""

import numpy
import pytest
import transformers

import spanforge

TEXTS = ["Where is Anna?", "", "小艾咪正在钓鱼。 Café 3½", "a " * 50]


@pytest.fixture(scope="module")
def both(model):
    return spanforge.Tokenizer(model), transformers.AutoTokenizer.from_pretrained(model)


@pytest.mark.parametrize("options", [{}, {"truncation": True, "max_length": 9}, {"padding": "max_length", "max_length": 70},
                                     {"add_special_tokens": False}])
def test_equals_transformers(both, options):
    ours, theirs = both
    for text in TEXTS:
        mine = ours.encode(text, **options)
        reference = theirs(text, return_offsets_mapping=True, return_special_tokens_mask=True, **options)
        assert mine.ids.tolist() == reference["input_ids"]
        assert [tuple(one) for one in mine.offsets.tolist()] == reference["offset_mapping"]
        assert mine.attention_mask.tolist() == reference["attention_mask"]
        assert mine.special_tokens_mask.tolist() == reference["special_tokens_mask"]
        assert mine.tokens == theirs.convert_ids_to_tokens(reference["input_ids"])
        assert ours.decode(mine.ids) == theirs.decode(reference["input_ids"], skip_special_tokens=True)


def test_pairs_and_windows(both):
    ours, theirs = both
    options = {"truncation": "only_second", "max_length": 40, "stride": 4}
    mine = ours.encode(TEXTS[0], TEXTS[3], **options)
    reference = theirs(TEXTS[0], TEXTS[3], return_overflowing_tokens=True, **options)
    assert [one.ids.tolist() for one in (mine, *mine.overflowing)] == reference["input_ids"]
    assert mine.type_ids.tolist() == reference["token_type_ids"][0]
    assert mine.sequence_ids.tolist() == [-1 if one is None else one for one in reference.sequence_ids(0)]


def test_batches(both):
    ours, theirs = both
    mine = ours.encode_batch(TEXTS, padding=True)
    assert [one.ids.tolist() for one in mine] == theirs(TEXTS, padding=True)["input_ids"]


def test_arrays_are_views(both):
    encoding = both[0].encode(TEXTS[0])
    ids, again = encoding.ids, encoding.ids
    assert ids.dtype == numpy.int32 and ids.shape == (len(encoding),) and encoding.offsets.shape == (len(encoding), 2)
    assert ids.__array_interface__["data"][0] == again.__array_interface__["data"][0]  # no copy
    assert not ids.flags.owndata and not ids.flags.writeable
    expected = ids.tolist()
    del encoding, again
    assert ids.tolist() == expected  # the array keeps the memory


def test_vocabulary(both):
    ours, theirs = both
    assert ours.vocab_size == len(theirs)
    assert ours.token_to_id("[CLS]") == theirs.cls_token_id == ours.special_ids["cls"]
    assert ours.token_to_id("no such token") is None and ours.id_to_token(10**6) is None


def test_wrong_arguments(both):
    for arguments, parameter in [({"truncation": "middle"}, "truncation"), ({"padding": "left"}, "padding"),
                                 ({"padding_side": "top"}, "padding_side")]:
        with pytest.raises(spanforge.UsageError) as caught:
            both[0].encode("a", max_length=4, **arguments)
        assert caught.value.parameter == parameter
    with pytest.raises(UnicodeEncodeError):
        both[0].encode("\ud800")
    with pytest.raises(TypeError):
        both[0].encode(3)
