import numpy as np
import pytest
import scipy.io

from tapetum.core import Modality
from tapetum.errors import DataError, EmbeddingError
from tapetum.evaluation.matlab import load_matlab, read_matlab_features


def write(folder, camera, cells, shape=(1, -1), name="feat"):
    """cells: {person: images x dimensions}; all other cells up to person 4 are empty."""
    feature = np.empty(4, dtype=object)
    for person in range(1, 5):
        feature[person - 1] = np.asarray(cells.get(person, np.zeros((0, 0))))
    scipy.io.savemat(folder / f"{name}_cam{camera}.mat", {"feature": feature.reshape(shape)})


@pytest.fixture
def folder(tmp_path):
    for camera in range(1, 7):
        values = {2: np.arange(6.0).reshape(3, 2) + camera, 4: np.array([[0.1, 1 / 3]])}
        write(tmp_path, camera, values, (1, -1) if camera % 2 else (-1, 1))
    return tmp_path


def test_features_keep_every_bit_and_say_what_they_are(folder):
    vectors, crops = read_matlab_features(folder)
    assert vectors.dtype == np.float64
    assert vectors.shape == (24, 2)
    assert vectors[3].tolist() == [0.1, 1 / 3]
    assert vectors[4:6].tolist() == [[2, 3], [4, 5]]
    names = ["0002/0001", "0002/0002", "0002/0003", "0004/0001"]
    assert [crop.path for crop in crops[:4]] == [f"cam1/{name}.jpg" for name in names]
    assert {crop.camera: crop.modality for crop in crops} == {
        camera: Modality.IR if camera in "36" else Modality.RGB for camera in "123456"
    }


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({2: np.ones((2, 3))}, r"feat_cam5\.mat: feature\{2\} has 3 dimensions.*has 2"),
        ({3: [[1, 2], [1, np.nan]]}, r"feat_cam5\.mat: feature\{3\}.*not finite in row 2"),
        ({3: [[1 + 1j, 2]]}, r"feature\{3\} is complex128"),
    ],
)
def test_features_that_cannot_be_used(folder, cells, words):
    write(folder, 5, cells)
    with pytest.raises(EmbeddingError, match=words):
        read_matlab_features(folder)


def test_files_that_are_missing_or_twice(folder):
    write(folder, 3, {}, name="other")
    with pytest.raises(EmbeddingError, match=r"2 files \*_cam3\.mat \(feat_cam3\.mat, other_cam3\.mat\)"):
        read_matlab_features(folder)
    (folder / "feat_cam3.mat").unlink()
    (folder / "other_cam3.mat").unlink()
    with pytest.raises(EmbeddingError, match=r"0 files \*_cam3\.mat"):
        read_matlab_features(folder)


def test_all_cells_empty(tmp_path):
    for camera in range(1, 7):
        write(tmp_path, camera, {})
    with pytest.raises(EmbeddingError, match="all cells"):
        read_matlab_features(tmp_path)


def test_files_that_are_no_matlab_files(tmp_path):
    path = tmp_path / "a.mat"
    with pytest.raises(DataError, match="does not exist"):
        load_matlab(path, "feature")
    path.write_bytes(b"no Matlab file at all" * 20)
    with pytest.raises(DataError, match="not a readable Matlab file"):
        load_matlab(path, "feature")
    # The header of a 7.3 file: text, then the version 0x0200 at byte 124 and the mark of the byte order.
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DataError, match=r"7\.3.*-v7"):
        load_matlab(path, "feature")
    scipy.io.savemat(path, {"features": np.eye(2)})
    with pytest.raises(DataError, match=r"no variable 'feature'\. Found: features"):
        load_matlab(path, "feature")
