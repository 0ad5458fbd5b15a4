import pytest
from feature_trees import own_table, sysu_files

from tapetum.data.sysu_mm01 import read
from tapetum.errors import DataError, EmbeddingError, RecipeError
from tapetum.evaluation.reference import Place, find_reference


@pytest.fixture
def root(tmp_path):
    return sysu_files(tmp_path / "sysu")


def test_the_user_names_it(root):
    found = find_reference({}, Place(root=root), root / "v.npy")
    assert (found.name, found.title, found.root, found.unchecked) == ("sysu_mm01", "sysu_mm01", root, "")
    assert len(found.dataset.rows("test")) == 36
    alone = find_reference({}, Place("llcm"), root / "v.npy")
    assert (alone.name, alone.root, alone.dataset, alone.unchecked) == (
        "llcm", None, None, "no --root says where its images are"
    )  # fmt: skip


def test_the_record_names_it_and_the_user_says_where_it_lies_now(root, tmp_path):
    record = {"dataset": "sysu_mm01", "title": "generated people", "root": str(tmp_path / "gone")}
    gone = find_reference(record, Place(), root / "e.parquet")
    assert (gone.title, gone.dataset, gone.unchecked) == (
        "generated people", None, f"{tmp_path / 'gone'} is no longer there"
    )  # fmt: skip
    assert find_reference(record, Place(root=root), root / "e.parquet").dataset is not None
    assert find_reference({**record, "root": str(root)}, Place(), root / "e.parquet").dataset is not None


def test_a_dataset_that_was_read_already(root):
    dataset = read(root)
    found = find_reference({"dataset": "sysu_mm01", "root": "/gone"}, Place(dataset=dataset), root / "e.parquet")
    assert (found.dataset, found.name, found.root) == (dataset, "sysu_mm01", root)
    with pytest.raises(EmbeddingError, match="is of llcm"):
        find_reference({"dataset": "llcm"}, Place(dataset=dataset), root / "e.parquet")


def test_lists_without_images(root):
    for camera in "123456":
        (root / f"cam{camera}").rename(root / f"moved{camera}")
    found = find_reference({}, Place("sysu_mm01", root), root / "v.npy")
    assert (found.dataset, found.root, found.unchecked) == (None, root, f"{root} holds no images")


def test_options_of_the_record_and_of_the_user(tmp_path):
    table = own_table(tmp_path, [("a.jpg", 1, "1", "rgb", "test"), ("b.jpg", 1, "2", "ir", "test")])
    record = {"dataset": "folder", "root": str(tmp_path), "options": {"table": "crops.csv", "val_persons": 0}}
    found = find_reference(record, Place(), tmp_path / "e.parquet")
    assert (len(found.dataset.crops), found.options) == (2, {"table": "crops.csv", "val_persons": 0})
    table.unlink()
    assert "crops.csv" in find_reference(record, Place(), tmp_path / "e.parquet").unchecked
    with pytest.raises(DataError, match=r"crops\.csv"):
        find_reference(record, Place(root=tmp_path), tmp_path / "e.parquet")


def test_names_that_do_not_fit(root):
    with pytest.raises(EmbeddingError, match=r"v\.npy does not say which dataset it is of\. Pass --root, or --dataset"):
        find_reference({}, Place(), root / "v.npy")
    with pytest.raises(EmbeddingError, match=r"e\.parquet is of llcm, and --dataset says regdb\. Leave --dataset out"):
        find_reference({"dataset": "llcm"}, Place("regdb"), root / "e.parquet")
    with pytest.raises(RecipeError, match=r"no dataset is called 'sysu'\. Did you mean 'sysu_mm01'"):
        find_reference({}, Place("sysu"), root / "v.npy")
