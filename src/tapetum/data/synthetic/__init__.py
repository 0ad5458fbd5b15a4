"""Generated people in RGB and infrared: a dataset that needs no download, with the truth about every picture."""

from tapetum.data.synthetic.generation import Manifest as Manifest
from tapetum.data.synthetic.generation import generate as generate
from tapetum.data.synthetic.generation import read_manifest as read_manifest
from tapetum.data.synthetic.identity import Identity as Identity
from tapetum.data.synthetic.identity import make_identity as make_identity
from tapetum.data.synthetic.rendering import Keypoint as Keypoint
from tapetum.data.synthetic.rendering import Truth as Truth
from tapetum.data.synthetic.rendering import render as render
from tapetum.data.synthetic.rendering import render_image as render_image
from tapetum.data.synthetic.shapes import Part as Part
from tapetum.data.synthetic.specification import PRESETS as PRESETS
from tapetum.data.synthetic.specification import Factors as Factors
from tapetum.data.synthetic.specification import Nuisance as Nuisance
from tapetum.data.synthetic.specification import SynthesisSpec as SynthesisSpec
from tapetum.data.synthetic.views import View as View
from tapetum.data.synthetic.views import sample_view as sample_view
from tapetum.data.synthetic.views import sized as sized
